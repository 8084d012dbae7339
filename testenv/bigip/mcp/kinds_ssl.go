package mcp

// sslProfileKinds are the TLS profiles, as captured from 14.1.2.1; data_0rtt
// came with 15.1 (AS3's table of properties).
func sslProfileKinds() []*Kind {
	return []*Kind{
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
			data_0rtt                           str  disabled  since:15
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
			data_0rtt                           str  disabled  since:15
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
	}
}
