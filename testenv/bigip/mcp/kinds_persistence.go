package mcp

// Tables of persistence profiles: as captured from 14.1.2.1, hash and sip from
// 11.6.0.

func persistenceKinds() []*Kind {
	return []*Kind{
		persistenceKind("source-addr", "source_addr", `
			appService               str  none
			description              str  none
			hashAlgorithm            str  default
			mapProxies               enum:enabled,disabled  enabled
			mapProxyAddress          str  none
			mapProxyClass            str  none
			mask                     str  none
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			timeout                  str  180
		`),
		persistenceKind("cookie", "cookie", `
			alwaysSend               enum:enabled,disabled  disabled
			appService               str  none
			cookieEncryption         enum:enabled,disabled  disabled
			cookieName               str  none
			description              str  none
			encryptCookiePoolname    enum:enabled,disabled  disabled
			expiration               str  0
			hashLength               int  0
			hashOffset               int  0
			httponly                 enum:enabled,disabled  enabled
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			method                   str  insert
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			secure                   enum:enabled,disabled  enabled
			timeout                  str  180
		`),
		persistenceKind("dest-addr", "dest_addr", `
			appService               str  none
			description              str  none
			hashAlgorithm            str  default
			mask                     str  none
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			timeout                  str  180
		`),
		persistenceKind("hash", "hash", `
			appService               str  none
			description              str  none
			hashAlgorithm            str  default
			hashBufferLimit          int  0
			hashLength               int  0
			hashOffset               int  0
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			timeout                  str  180
		`),
		persistenceKind("msrdp", "msrdp", `
			appService               str  none
			description              str  none
			hasSessionDir            enum:yes,no  yes
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			timeout                  str  300
		`),
		persistenceKind("sip", "sip_info", `
			appService               str  none
			description              str  none
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			timeout                  str  180
		`),
		persistenceKind("ssl", "ssl", `
			appService               str  none
			description              str  none
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			timeout                  str  300
		`),
		persistenceKind("universal", "universal", `
			appService               str  none
			description              str  none
			matchAcrossPools         enum:enabled,disabled  disabled
			matchAcrossServices      enum:enabled,disabled  disabled
			matchAcrossVirtuals      enum:enabled,disabled  disabled
			mirror                   enum:enabled,disabled  disabled
			overrideConnectionLimit  enum:enabled,disabled  disabled
			rule                     ref:ltm/rule  none
			timeout                  str  180
		`),
		persistenceKind("host", "host", `timeout str 180`),
		{
			Path: "ltm/persistence/global-settings", Noun: "global settings", Naming: Singleton,
			Props: table(`
				destAddrLimitMode     str  timeout
				destAddrMax           int  2048
				proxyGroup            str  /Common/aol
			`),
		},
	}
}
