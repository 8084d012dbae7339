package mcp

// Tables of profile kinds. Properties, types and defaults are those of the
// base profiles of a 14.1.2.1 device (captured: GET /mgmt/tm/ltm/profile/...).

func profileKinds() []*Kind {
	return []*Kind{
		profileKind("tcp", "tcp", `
			abc                       enum:enabled,disabled  enabled
			ackOnPush                 enum:enabled,disabled  enabled
			appService                str  none
			autoProxyBufferSize       enum:enabled,disabled  disabled
			autoReceiveWindowSize     enum:enabled,disabled  disabled
			autoSendBufferSize        enum:enabled,disabled  disabled
			closeWaitTimeout          int  5
			cmetricsCache             enum:enabled,disabled  enabled
			cmetricsCacheTimeout      int  0
			congestionControl         str  high-speed
			deferredAccept            enum:enabled,disabled  disabled
			delayedAcks               enum:enabled,disabled  enabled
			delayWindowControl        enum:enabled,disabled  disabled
			description               str  none
			dsack                     enum:enabled,disabled  disabled
			earlyRetransmit           enum:enabled,disabled  enabled
			ecn                       enum:enabled,disabled  enabled
			enhancedLossRecovery      enum:enabled,disabled  enabled
			fastOpen                  enum:enabled,disabled  enabled
			fastOpenCookieExpiration  int  21600
			finWait_2Timeout          int  300
			finWaitTimeout            int  5
			hardwareSynCookie         enum:enabled,disabled  enabled
			idleTimeout               int  300
			initCwnd                  int  10
			initRwnd                  int  10
			ipDfMode                  str  pmtu
			ipTosToClient             str  0
			ipTtlMode                 str  proxy
			ipTtlV4                   int  255
			ipTtlV6                   int  64
			keepAliveInterval         int  1800
			limitedTransmit           enum:enabled,disabled  enabled
			linkQosToClient           str  0
			maxRetrans                int  8
			maxSegmentSize            int  1460
			md5Signature              enum:enabled,disabled  disabled
			minimumRto                int  1000
			mptcp                     enum:enabled,disabled  disabled
			mptcpCsum                 enum:enabled,disabled  disabled
			mptcpCsumVerify           enum:enabled,disabled  disabled
			mptcpDebug                enum:enabled,disabled  disabled
			mptcpFallback             str  reset
			mptcpFastjoin             enum:enabled,disabled  disabled
			mptcpIdleTimeout          int  300
			mptcpJoinMax              int  5
			mptcpMakeafterbreak       enum:enabled,disabled  disabled
			mptcpNojoindssack         enum:enabled,disabled  disabled
			mptcpRtomax               int  5
			mptcpRxmitmin             int  1000
			mptcpSubflowmax           int  6
			mptcpTimeout              int  3600
			nagle                     enum:enabled,disabled  disabled
			pktLossIgnoreBurst        int  0
			pktLossIgnoreRate         int  0
			proxyBufferHigh           int  65535
			proxyBufferLow            int  32768
			proxyMss                  enum:enabled,disabled  enabled
			proxyOptions              enum:enabled,disabled  disabled
			pushFlag                  str  default
			ratePace                  enum:enabled,disabled  enabled
			ratePaceMaxRate           int  0
			receiveWindowSize         int  65535
			resetOnTimeout            enum:enabled,disabled  enabled
			rexmtThresh               int  3
			selectiveAcks             enum:enabled,disabled  enabled
			selectiveNack             enum:enabled,disabled  disabled
			sendBufferSize            int  131072
			slowStart                 enum:enabled,disabled  enabled
			synCookieEnable           enum:enabled,disabled  enabled
			synCookieWhitelist        enum:enabled,disabled  disabled
			synMaxRetrans             int  3
			synRtoBase                int  3000
			tailLossProbe             enum:enabled,disabled  enabled
			tcpOptions                str  none
			timestamps                enum:enabled,disabled  enabled
			timeWaitRecycle           enum:enabled,disabled  enabled
			timeWaitTimeout           str  2000
			verifiedAccept            enum:enabled,disabled  disabled
			zeroWindowTimeout         int  20000
		`),
		profileKind("udp", "udp", `
			allowNoPayload         enum:enabled,disabled  disabled
			appService             str  none
			bufferMaxBytes         int  655350
			bufferMaxPackets       int  0
			datagramLoadBalancing  enum:enabled,disabled  disabled
			description            str  none
			idleTimeout            str  60
			ipDfMode               str  pmtu
			ipTosToClient          str  0
			ipTtlMode              str  proxy
			ipTtlV4                int  255
			ipTtlV6                int  64
			linkQosToClient        str  0
			noChecksum             enum:enabled,disabled  disabled
			proxyMss               enum:enabled,disabled  disabled
			sendBufferSize         int  655350
		`),
		profileKind("fastl4", "fastL4", `
			appService                   str  none
			clientTimeout                int  30
			description                  str  none
			explicitFlowMigration        enum:enabled,disabled  disabled
			hardwareSynCookie            enum:enabled,disabled  disabled
			idleTimeout                  str  300
			ipDfMode                     str  preserve
			ipTosToClient                str  pass-through
			ipTosToServer                str  pass-through
			ipTtlMode                    str  decrement
			ipTtlV4                      int  255
			ipTtlV6                      int  64
			keepAliveInterval            enum:enabled,disabled  disabled
			lateBinding                  enum:enabled,disabled  disabled
			linkQosToClient              str  pass-through
			linkQosToServer              str  pass-through
			looseClose                   enum:enabled,disabled  disabled
			looseInitialization          enum:enabled,disabled  disabled
			mssOverride                  int  0
			otherPvaClientpktsThreshold  int  2
			otherPvaOffloadDirection     str  bidirectional
			otherPvaServerpktsThreshold  int  1
			otherPvaWhentoOffload        str  after-packets-per-direction
			priorityToClient             str  pass-through
			priorityToServer             str  pass-through
			pvaAcceleration              str  full
			pvaDynamicClientPackets      int  1
			pvaDynamicServerPackets      int  0
			pvaFlowAging                 enum:enabled,disabled  enabled
			pvaFlowEvict                 enum:enabled,disabled  enabled
			pvaOffloadDynamic            enum:enabled,disabled  enabled
			pvaOffloadState              str  embryonic
			reassembleFragments          enum:enabled,disabled  disabled
			receiveWindowSize            int  0
			resetOnTimeout               enum:enabled,disabled  enabled
			rttFromClient                enum:enabled,disabled  disabled
			rttFromServer                enum:enabled,disabled  disabled
			serverSack                   enum:enabled,disabled  disabled
			serverTimestamp              enum:enabled,disabled  disabled
			softwareSynCookie            enum:enabled,disabled  disabled
			synCookieEnable              enum:enabled,disabled  enabled
			synCookieMss                 int  0
			synCookieWhitelist           enum:enabled,disabled  disabled
			tcpCloseTimeout              str  5
			tcpGenerateIsn               enum:enabled,disabled  disabled
			tcpHandshakeTimeout          str  5
			tcpPvaWhentoOffload          str  embryonic
			tcpStripSack                 enum:enabled,disabled  disabled
			tcpTimestampMode             str  preserve
			tcpTimeWaitTimeout           int  0
			tcpWscaleMode                str  preserve
			timeoutRecovery              str  disconnect
		`),
		profileKind("http", "http", `
			acceptXff                  enum:enabled,disabled  disabled
			appService                 str  none
			basicAuthRealm             str  none
			description                str  none
			encryptCookies             list  []
			enforcement                any  {"excessClientHeaders":"reject","excessServerHeaders":"reject","knownMethods":["CONNECT","DELETE","GET","HEAD","LOCK","OPTIONS","POST","PROPFIND","PUT","TRACE","UNLOCK"],"maxHeaderCount":64,"maxHeaderSize":32768,"maxRequests":0,"oversizeClientHeaders":"reject","oversizeServerHeaders":"reject","pipeline":"allow","truncatedRedirects":"disabled","unknownMethod":"allow"}
			explicitProxy              any  {"badRequestMessage":"none","badResponseMessage":"none","connectErrorMessage":"none","defaultConnectHandling":"deny","dnsErrorMessage":"none","dnsResolver":"none","hostNames":[],"ipv6":"no","routeDomain":"none","tunnelName":"none"}
			fallbackHost               str  none
			fallbackStatusCodes        list  []
			headerErase                str  none
			headerInsert               str  none
			hsts                       any  {"includeSubdomains":"enabled","maximumAge":16070400,"mode":"disabled","preload":"disabled"}
			insertXforwardedFor        enum:enabled,disabled  disabled
			lwsSeparator               str  none
			lwsWidth                   int  80
			oneconnectStatusReuse      str  "200 206"
			oneconnectTransformations  enum:enabled,disabled  enabled
			proxyType                  str  reverse
			redirectRewrite            str  none
			requestChunking            str  preserve
			responseChunking           str  selective
			responseHeadersPermitted   list  []
			serverAgentName            str  BigIP
			sflow                      any  {"pollInterval":0,"pollIntervalGlobal":"yes","samplingRate":0,"samplingRateGlobal":"yes"}
			viaHostName                str  none
			viaRequest                 str  preserve
			viaResponse                str  preserve
			xffAlternativeNames        list  []
		`),
		profileKind("one-connect", "oneconnect", `
			appService           str  none
			description          str  none
			idleTimeoutOverride  enum:enabled,disabled  disabled
			limitType            str  none
			maxAge               int  86400
			maxReuse             int  1000
			maxSize              int  10000
			sharePools           enum:enabled,disabled  disabled
			sourceMask           str  any
		`),
		profileKind("client-ssl", "clientssl", `
			alertTimeout                        str  indefinite
			allowDynamicRecordSizing            enum:enabled,disabled  disabled
			allowExpiredCrl                     enum:enabled,disabled  disabled
			allowNonSsl                         enum:enabled,disabled  disabled
			appService                          str  none
			authenticate                        str  once
			authenticateDepth                   int  9
			bypassOnClientCertFail              enum:enabled,disabled  disabled
			bypassOnHandshakeAlert              enum:enabled,disabled  disabled
			c3dDropUnknownOcspStatus            str  drop
			c3dOcsp                             str  none
			cacheSize                           int  262144
			cacheTimeout                        int  3600
			caFile                              ref:sys/file/ssl-cert  none  link
			cert                                ref:sys/file/ssl-cert  /Common/default.crt  link
			certExtensionIncludes               list  ["basic-constraints","subject-alternative-name"]
			certKeyChain                        any  [{"name":"default","appService":"none","cert":"/Common/default.crt","chain":"none","key":"/Common/default.key","usage":"SERVER"}]
			certLifespan                        int  30
			certLookupByIpaddrPort              enum:enabled,disabled  disabled
			chain                               ref:sys/file/ssl-cert  none  link
			cipherGroup                         str  none
			ciphers                             str  DEFAULT
			clientCertCa                        ref:sys/file/ssl-cert  none  link
			crlFile                             str  none
			description                         str  none
			destinationIpBlacklist              str  none
			destinationIpWhitelist              str  none
			forwardProxyBypassDefaultAction     str  intercept
			genericAlert                        enum:enabled,disabled  enabled
			handshakeTimeout                    str  10
			hostnameBlacklist                   str  none
			hostnameWhitelist                   str  none
			inheritCaCertkeychain               enum:true,false  false
			inheritCertkeychain                 enum:true,false  false
			key                                 ref:sys/file/ssl-key  /Common/default.key  link
			maxActiveHandshakes                 str  indefinite
			maxAggregateRenegotiationPerMinute  str  indefinite
			maximumRecordSize                   int  16384
			maxRenegotiationsPerMinute          int  5
			mode                                enum:enabled,disabled  enabled
			modSslMethods                       enum:enabled,disabled  disabled
			notifyCertStatusToVirtualServer     enum:enabled,disabled  disabled
			ocspStapling                        enum:enabled,disabled  disabled
			peerCertMode                        str  ignore
			peerNoRenegotiateTimeout            str  10
			proxyCaCert                         ref:sys/file/ssl-cert  none  link
			proxyCaKey                          ref:sys/file/ssl-key  none  link
			proxySsl                            enum:enabled,disabled  disabled
			proxySslPassthrough                 enum:enabled,disabled  disabled
			renegotiateMaxRecordDelay           str  indefinite
			renegotiatePeriod                   str  indefinite
			renegotiateSize                     str  indefinite
			renegotiation                       enum:enabled,disabled  enabled
			retainCertificate                   enum:true,false  true
			secureRenegotiation                 str  require
			serverName                          str  none
			sessionMirroring                    enum:enabled,disabled  disabled
			sessionTicket                       enum:enabled,disabled  disabled
			sessionTicketTimeout                int  0
			sniDefault                          enum:true,false  false
			sniRequire                          enum:true,false  false
			sourceIpBlacklist                   str  none
			sourceIpWhitelist                   str  none
			sslC3d                              enum:enabled,disabled  disabled
			sslForwardProxy                     enum:enabled,disabled  disabled
			sslForwardProxyBypass               enum:enabled,disabled  disabled
			sslForwardProxyVerifiedHandshake    enum:enabled,disabled  disabled
			sslSignHash                         str  any
			strictResume                        enum:enabled,disabled  disabled
			tmOptions                           str  "{ dont-insert-empty-fragments no-tlsv1.3 }"
			uncleanShutdown                     enum:enabled,disabled  enabled
		`),
		profileKind("server-ssl", "serverssl", `
			alertTimeout                      str  indefinite
			allowExpiredCrl                   enum:enabled,disabled  disabled
			appService                        str  none
			authenticate                      str  once
			authenticateDepth                 int  9
			authenticateName                  str  none
			bypassOnClientCertFail            enum:enabled,disabled  disabled
			bypassOnHandshakeAlert            enum:enabled,disabled  disabled
			c3dCaCert                         ref:sys/file/ssl-cert  none  link
			c3dCaKey                          ref:sys/file/ssl-key  none  link
			c3dCertExtensionCustomOids        list  []
			c3dCertExtensionIncludes          list  ["basic-constraints","extended-key-usage","key-usage","subject-alternative-name"]
			c3dCertLifespan                   int  24
			cacheSize                         int  262144
			cacheTimeout                      int  3600
			caFile                            ref:sys/file/ssl-cert  none  link
			cert                              ref:sys/file/ssl-cert  none  link
			chain                             ref:sys/file/ssl-cert  none  link
			cipherGroup                       str  none
			ciphers                           str  DEFAULT
			crl                               str  none
			crlFile                           str  none
			description                       str  none
			expireCertResponseControl         str  drop
			genericAlert                      enum:enabled,disabled  enabled
			handshakeTimeout                  str  10
			key                               ref:sys/file/ssl-key  none  link
			maxActiveHandshakes               str  indefinite
			mode                              enum:enabled,disabled  enabled
			modSslMethods                     enum:enabled,disabled  disabled
			ocsp                              str  none
			peerCertMode                      str  ignore
			proxySsl                          enum:enabled,disabled  disabled
			proxySslPassthrough               enum:enabled,disabled  disabled
			renegotiatePeriod                 str  indefinite
			renegotiateSize                   str  indefinite
			renegotiation                     enum:enabled,disabled  enabled
			retainCertificate                 enum:true,false  true
			secureRenegotiation               str  require-strict
			serverName                        str  none
			sessionMirroring                  enum:enabled,disabled  disabled
			sessionTicket                     enum:enabled,disabled  disabled
			sniDefault                        enum:true,false  false
			sniRequire                        enum:true,false  false
			sslC3d                            enum:enabled,disabled  disabled
			sslForwardProxy                   enum:enabled,disabled  disabled
			sslForwardProxyBypass             enum:enabled,disabled  disabled
			sslForwardProxyVerifiedHandshake  enum:enabled,disabled  disabled
			sslSignHash                       str  any
			strictResume                      enum:enabled,disabled  disabled
			tmOptions                         str  "{ dont-insert-empty-fragments no-tlsv1.3 }"
			uncleanShutdown                   enum:enabled,disabled  enabled
			untrustedCertResponseControl      str  drop
		`),
		profileKind("sctp", "sctp", `
			appService              str  none
			clientSideMultihoming   enum:enabled,disabled  disabled
			cookieExpiration        int  60
			description             str  none
			heartbeatInterval       int  30
			heartbeatMaxBurst       int  1
			idleTimeout             int  300
			initMaxRetries          int  8
			inStreams               int  2
			ipTos                   str  0
			linkQos                 str  0
			maxBurst                int  4
			maxCommunicationPaths   int  16
			maxPathRetransmitLimit  int  5
			outStreams              int  2
			proxyBufferHigh         int  16384
			proxyBufferLow          int  4096
			receiveChunks           int  256
			receiveOrdered          enum:enabled,disabled  enabled
			receiveWindowSize       int  65535
			resetOnTimeout          enum:enabled,disabled  enabled
			rtoInitial              int  3000
			rtoMax                  int  60000
			rtoMin                  int  1000
			sackTimeout             int  200
			secret                  str  $M$jx$0+ART/wNjLBxkv97jRtGNA==
			sendBufferSize          int  65536
			sendMaxRetries          int  10
			sendPartial             enum:enabled,disabled  disabled
			serverSideMultihoming   enum:enabled,disabled  disabled
			tcpShutdown             enum:enabled,disabled  disabled
			transmitChunks          int  256
		`),
		profileKind("http2", "http2", `description str none`),
		profileKind("websocket", "websocket", `description str none`),
		profileKind("ftp", "ftp", `description str none`),
		profileKind("stream", "stream", `description str none`),
		profileKind("html", "html", `description str none`),
		profileKind("dns", "dns", `description str none`),
		profileKind("web-acceleration", "webacceleration", `description str none`),
		profileKind("http-compression", "httpcompression", `description str none`),
		profileKind("request-log", "request-log", `description str none`),
		profileKind("ipother", "ipother", `description str none`),
		profileKind("fasthttp", "fasthttp", `description str none`),
		profileKind("diameter", "diameter", `description str none`),
		profileKind("sip", "sip", `description str none`),
		profileKind("rtsp", "rtsp", `description str none`),
		profileKind("request-adapt", "requestadapt", `description str none`),
		profileKind("response-adapt", "responseadapt", `description str none`),
		profileKind("statistics", "stats", `description str none`),
		profileKind("xml", "xml", `description str none`),
		profileKind("tftp", "tftp", `description str none`),
		profileKind("mqtt", "mqtt", `description str none`),
		profileKind("radius", "radiusLB", `description str none`),
		profileKind("certificate-authority", "certificate-authority", `description str none`),
		profileKind("client-ldap", "clientldap", `description str none`),
		profileKind("connector", "connector", `description str none`),
		profileKind("dhcpv4", "dhcpv4", `description str none`),
		profileKind("dhcpv6", "dhcpv6", `description str none`),
		profileKind("dns-logging", "dns-logging", `description str none`),
		profileKind("fix", "fix", `description str none`),
		profileKind("gtp", "gtp", `description str none`),
		profileKind("http-proxy-connect", "http-proxy-connect", `description str none`),
		profileKind("httprouter", "httprouter", `description str none`),
		profileKind("icap", "icap", `description str none`),
		profileKind("imap", "imap", `description str none`),
		profileKind("ipsecalg", "ipsecalg", `description str none`),
		profileKind("mblb", "mblb", `description str none`),
		profileKind("netflow", "netflow", `description str none`),
		profileKind("ntlm", "ntlm", `description str none`),
		profileKind("ocsp-stapling-params", "ocsp-stapling-params", `description str none`),
		profileKind("pop3", "pop3", `description str none`),
		profileKind("pptp", "pptp", `description str none`),
		profileKind("qoe", "qoe", `description str none`),
		profileKind("rewrite", "rewrite", `description str none`),
		profileKind("server-ldap", "serverldap", `description str none`),
		profileKind("service", "service", `description str none`),
		profileKind("smtps", "smtps", `description str none`),
		profileKind("socks", "socks", `description str none`),
		profileKind("splitsessionclient", "splitsessionclient", `description str none`),
		profileKind("splitsessionserver", "splitsessionserver", `description str none`),
		profileKind("tcp-analytics", "tcp-analytics", `description str none`),
	}
}
