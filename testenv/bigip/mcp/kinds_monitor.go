package mcp

// Tables of monitor kinds. Properties, types and defaults are those of the
// base monitors of a 14.1.2.1 device (captured: GET /mgmt/tm/ltm/monitor/...);
// properties that are absent until set come from the tmsh reference of 14.1.

func monitorKinds() []*Kind {
	return []*Kind{
		monitorKind("http", "http", `
			adaptive                  enum:enabled,disabled  disabled
			adaptiveDivergenceType    enum:absolute,relative  relative
			adaptiveDivergenceValue   int  25
			adaptiveLimit             int  200
			adaptiveSamplingTimespan  int  300
			appService                str  -
			description               str  -
			destination               str  *:*
			interval                  int:0-86400  5
			ipDscp                    int  0
			manualResume              enum:enabled,disabled  disabled
			metadata                  any  -
			password                  str  -  sealed
			recv                      str  -
			recvDisable               str  -
			reverse                   enum:enabled,disabled  disabled
			send                      str  "GET /\r\n"
			timeout                   int:0-86400  16
			timeUntilUp               int:0-86500  0
			transparent               enum:enabled,disabled  disabled
			upInterval                int:0-86400  0
			username                  str  -
		`),
		monitorKind("https", "https", `
			adaptive                  enum:enabled,disabled  disabled
			adaptiveDivergenceType    enum:absolute,relative  relative
			adaptiveDivergenceValue   int  25
			adaptiveLimit             int  200
			adaptiveSamplingTimespan  int  300
			appService                str  -
			cert                      str  -
			cipherlist                str  -
			compatibility             str  -
			description               str  -
			destination               str  *:*
			interval                  int:0-86400  5
			ipDscp                    int  0
			key                       str  -
			manualResume              enum:enabled,disabled  disabled
			metadata                  any  -
			password                  str  -  sealed
			recv                      str  -
			recvDisable               str  -
			reverse                   enum:enabled,disabled  disabled
			send                      str  "GET /\r\n"
			sslProfile                ref:ltm/profile/  -
			timeout                   int:0-86400  16
			timeUntilUp               int:0-86500  0
			transparent               enum:enabled,disabled  disabled
			upInterval                int:0-86400  0
			username                  str  -
		`),
		monitorKind("tcp", "tcp", `
			adaptive                  enum:enabled,disabled  disabled
			adaptiveDivergenceType    enum:absolute,relative  relative
			adaptiveDivergenceValue   int  25
			adaptiveLimit             int  200
			adaptiveSamplingTimespan  int  300
			appService                str  -
			description               str  -
			destination               str  *:*
			interval                  int:0-86400  5
			ipDscp                    int  0
			manualResume              enum:enabled,disabled  disabled
			metadata                  any  -
			recv                      str  -
			recvDisable               str  -
			reverse                   enum:enabled,disabled  disabled
			send                      str  -
			timeout                   int:0-86400  16
			timeUntilUp               int:0-86500  0
			transparent               enum:enabled,disabled  disabled
			upInterval                int:0-86400  0
		`),
		monitorKind("tcp-half-open", "tcp_half_open", `
			appService    str  -
			description   str  -
			destination   str  *:*
			interval      int:0-86400  5
			manualResume  enum:enabled,disabled  disabled
			metadata      any  -
			timeout       int:0-86400  16
			timeUntilUp   int:0-86500  0
			transparent   enum:enabled,disabled  disabled
			upInterval    int:0-86400  0
		`),
		monitorKind("tcp-echo", "tcp_echo", `
			adaptive                  enum:enabled,disabled  disabled
			adaptiveDivergenceType    enum:absolute,relative  relative
			adaptiveDivergenceValue   int  25
			adaptiveLimit             int  200
			adaptiveSamplingTimespan  int  300
			appService                str  -
			description               str  -
			destination               str  *
			interval                  int:0-86400  5
			manualResume              enum:enabled,disabled  disabled
			metadata                  any  -
			timeout                   int:0-86400  16
			timeUntilUp               int:0-86500  0
			transparent               enum:enabled,disabled  disabled
			upInterval                int:0-86400  0
		`),
		monitorKind("udp", "udp", `
			adaptive                  enum:enabled,disabled  disabled
			adaptiveDivergenceType    enum:absolute,relative  relative
			adaptiveDivergenceValue   int  25
			adaptiveLimit             int  200
			adaptiveSamplingTimespan  int  300
			appService                str  -
			debug                     enum:yes,no  no
			description               str  -
			destination               str  *:*
			interval                  int:0-86400  5
			manualResume              enum:enabled,disabled  disabled
			metadata                  any  -
			recv                      str  -
			recvDisable               str  -
			reverse                   enum:enabled,disabled  disabled
			send                      str  "default send string"
			timeout                   int:0-86400  16
			timeUntilUp               int:0-86500  0
			transparent               enum:enabled,disabled  disabled
			upInterval                int:0-86400  0
		`),
		monitorKind("icmp", "icmp", `
			adaptive                  enum:enabled,disabled  disabled
			adaptiveDivergenceType    enum:absolute,relative  relative
			adaptiveDivergenceValue   int  25
			adaptiveLimit             int  200
			adaptiveSamplingTimespan  int  300
			appService                str  -
			description               str  -
			destination               str  *
			interval                  int:0-86400  5
			manualResume              enum:enabled,disabled  disabled
			metadata                  any  -
			timeout                   int:0-86400  16
			timeUntilUp               int:0-86500  0
			transparent               enum:enabled,disabled  disabled
			upInterval                int:0-86400  0
		`),
		monitorKind("gateway-icmp", "gateway_icmp", `
			adaptive                  enum:enabled,disabled  disabled
			adaptiveDivergenceType    enum:absolute,relative  relative
			adaptiveDivergenceValue   int  25
			adaptiveLimit             int  200
			adaptiveSamplingTimespan  int  300
			appService                str  -
			description               str  -
			destination               str  *:*
			interval                  int:0-86400  5
			manualResume              enum:enabled,disabled  disabled
			metadata                  any  -
			timeout                   int:0-86400  16
			timeUntilUp               int:0-86500  0
			transparent               enum:enabled,disabled  disabled
			upInterval                int:0-86400  0
		`),
		monitorKind("external", "external", `
			appService    str  -
			args          str  -
			description   str  -
			destination   str  *:*
			interval      int:0-86400  5
			manualResume  enum:enabled,disabled  disabled
			metadata      any  -
			run           str  -
			timeout       int:0-86400  16
			timeUntilUp   int:0-86500  0
			upInterval    int:0-86400  0
			userDefined   any  -
		`),
		monitorKind("inband", "inband", `
			appService       str  -
			description      str  -
			failureInterval  int  30
			failures         int  3
			metadata         any  -
			responseTime     int  10
			retryTime        int  300
		`),
		monitorKind("none", "none", `
			appService          str  -
			description         str  -
			destination         str  *:6666
			ignoreDownResponse  enum:enabled,disabled  disabled
			interval            int:0-86400  0
			metadata            any  -
			probeTimeout        int  0
			timeout             int:0-86400  0
			timeUntilUp         int:0-86500  86500
			upInterval          int:0-86400  0
		`),
	}
}
