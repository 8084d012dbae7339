package mcp

// otherProfileKinds are profiles without effect on the data plane: http2, dns,
// stream, websocket and ipother as captured from 14.1.2.1, http-compression
// from 13.1.0.4, the others by name alone. What the tables do not list is kept
// as it comes.
func otherProfileKinds() []*Kind {
	kinds := []*Kind{
		profileKind("http2", "http2", `
			activationModes                list  ["alpn"]
			appService                     str   none
			concurrentStreamsPerConnection int   10
			connectionIdleTimeout          int   300
			description                    str   none
			enforceTlsRequirements         enum:enabled,disabled  enabled
			frameSize                      int   2048
			headerTableSize                int   4096
			includeContentLength           enum:enabled,disabled  disabled
			insertHeader                   enum:enabled,disabled  disabled
			insertHeaderName               str   X-HTTP2
			receiveWindow                  int   32
			writeSize                      int   16384
		`),
		profileKind("dns", "dns", `
			appService                     str  none
			avrDnsstatSampleRate           int  0
			cache                          str  none
			description                    str  none
			dns64                          str  disabled
			dns64AdditionalSectionRewrite  str  disabled
			dns64Prefix                    str  any6
			dnsSecurity                    str  none
			edns0ClientSubnetInsert        enum:enabled,disabled  disabled
			enableCache                    enum:yes,no  no
			enableDnsExpress               enum:yes,no  yes
			enableDnsFirewall              enum:yes,no  no
			enableDnssec                   enum:yes,no  yes
			enableGtm                      enum:yes,no  yes
			enableHardwareQueryValidation  enum:yes,no  no
			enableHardwareResponseCache    enum:yes,no  no
			enableLogging                  enum:yes,no  no
			enableRapidResponse            enum:yes,no  no
			logProfile                     str  none
			processRd                      enum:yes,no  yes
			processXfr                     enum:yes,no  no
			rapidResponseLastAction        str  drop
			unhandledQueryAction           str  allow
			useLocalBind                   enum:yes,no  yes
		`),
		profileKind("http-compression", "httpcompression", `
			allowHttp_10        enum:enabled,disabled  disabled
			appService          str   none
			browserWorkarounds  enum:enabled,disabled  disabled
			bufferSize          int   4096
			contentTypeExclude  list  []
			contentTypeInclude  list  ["text/","application/(xml|x-javascript)"]
			cpuSaver            enum:enabled,disabled  enabled
			cpuSaverHigh        int   90
			cpuSaverLow         int   75
			description         str   none
			gzipLevel           int   1
			gzipMemoryLevel     int   8192
			gzipWindowSize      int   16384
			keepAcceptEncoding  enum:enabled,disabled  disabled
			methodPrefer        str   gzip
			minSize             int   1024
			selective           enum:enabled,disabled  disabled
			uriExclude          list  []
			uriInclude          list  [".*"]
			varyHeader          enum:enabled,disabled  enabled
		`),
		profileKind("ipother", "ipother", `
			appService   str  none
			description  str  none
			idleTimeout  str  60
		`),
		profileKind("stream", "stream", `
			appService   str  none
			chunkSize    int  4096
			chunking     enum:enabled,disabled  disabled
			description  str  none
			source       str  none
			tmTarget     str  none
		`),
		profileKind("websocket", "websocket", `
			appService   str  none
			description  str  none
			masking      str  selective
		`),
	}
	for _, p := range []struct{ name, base string }{
		{"ftp", "ftp"},
		{"html", "html"},
		{"web-acceleration", "webacceleration"},
		{"request-log", "request-log"},
		{"fasthttp", "fasthttp"},
		{"diameter", "diameter"},
		{"sip", "sip"},
		{"rtsp", "rtsp"},
		{"request-adapt", "requestadapt"},
		{"response-adapt", "responseadapt"},
		{"statistics", "stats"},
		{"xml", "xml"},
		{"tftp", "tftp"},
		{"mqtt", "mqtt"},
		{"radius", "radiusLB"},
		{"certificate-authority", "certificate-authority"},
		{"client-ldap", "clientldap"},
		{"connector", "connector"},
		{"dhcpv4", "dhcpv4"},
		{"dhcpv6", "dhcpv6"},
		{"dns-logging", "dns-logging"},
		{"fix", "fix"},
		{"gtp", "gtp"},
		{"http-proxy-connect", "http-proxy-connect"},
		{"httprouter", "httprouter"},
		{"icap", "icap"},
		{"imap", "imap"},
		{"ipsecalg", "ipsecalg"},
		{"mblb", "mblb"},
		{"netflow", "netflow"},
		{"ntlm", "ntlm"},
		{"ocsp-stapling-params", "ocsp-stapling-params"},
		{"pop3", "pop3"},
		{"pptp", "pptp"},
		{"qoe", "qoe"},
		{"rewrite", "rewrite"},
		{"server-ldap", "serverldap"},
		{"service", "service"},
		{"smtps", "smtps"},
		{"socks", "socks"},
		{"splitsessionclient", "splitsessionclient"},
		{"splitsessionserver", "splitsessionserver"},
		{"tcp-analytics", "tcp-analytics"},
	} {
		kinds = append(kinds, profileKind(p.name, p.base, `
			appService   str  none
			description  str  none
		`))
	}
	for _, k := range kinds {
		k.Open = true
	}
	return kinds
}
