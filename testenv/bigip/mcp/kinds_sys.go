package mcp

func sysKinds(o Options) []*Kind {
	return []*Kind{
		{
			Path: "auth/user", Noun: "user", Naming: Plain,
			Props: table(`
				description        str  -
				encryptedPassword  str  -  ro
				partitionAccess    any  [{"name":"all-partitions","role":"no-access"}]
				password           str  -  secret
				sessionLimit       int  -1
				shell              enum:none,bash,tmsh  none
			`),
			settle: settleUser,
		},
		{
			Path: "sys/provision", Noun: "module", Naming: Plain, ReadOnly: true,
			Props: table(`
				cpuRatio     int  0
				diskRatio    int  0
				level        enum:none,minimum,nominal,dedicated,custom  none
				memoryRatio  int  0
			`),
		},
		{
			Path: "sys/global-settings", Noun: "global settings", Naming: Singleton,
			Props: table(`
				awsApiMaxConcurrency      int  1
				consoleInactivityTimeout  int  0
				customAddr                str  none
				failsafeAction            str  go-offline-restart-tm
				guiAudit                  enum:enabled,disabled  disabled
				guiSecurityBanner         enum:enabled,disabled  enabled
				guiSetup                  enum:enabled,disabled  disabled
				hostAddrMode              str  management
				hostname                  str  ` + o.Hostname + `
				lcdDisplay                enum:enabled,disabled  enabled
				ledLocator                enum:enabled,disabled  disabled
				mgmtDhcp                  enum:enabled,disabled  disabled
				netReboot                 enum:enabled,disabled  disabled
				passwordPrompt            str  Password
				quietBoot                 enum:enabled,disabled  enabled
				usernamePrompt            str  Username
			`),
		},
		{
			Path: "sys/httpd", Noun: "httpd", Naming: Singleton,
			Props: table(`
				allow                 list  ["All"]
				authName              str  BIG-IP
				authPamIdleTimeout    int  1200
				authPamValidateIp     str  on
				description           str  -
				fastcgiTimeout        int  300
				hostnameLookup        str  off
				logLevel              str  warn
				maxClients            int  10
				redirectHttpToHttps   enum:enabled,disabled  disabled
				requestBodyTimeout    int  60
				requestHeaderTimeout  int  20
				sslPort               int  443
			`),
		},
		{
			Path: "sys/dns", Noun: "dns", Naming: Singleton,
			Props: table(`
				description  str   -
				nameServers  list  -
				search       list  -
			`),
		},
		{
			Path: "sys/ntp", Noun: "ntp", Naming: Singleton,
			Props: table(`
				description  str   -
				servers      list  -
				timezone     str   America/Los_Angeles
			`),
		},
		{
			Path: "sys/db", Noun: "database variable", Naming: Plain,
			Props: table(`
				defaultValue  str  -
				scfConfig     str  false
				value         str  -
				valueRange    str  string
			`),
		},
		fileKind("sys/file/ssl-cert", "certificate file"),
		fileKind("sys/file/ssl-key", "certificate key file"),
		fileKind("cm/cert", "certificate file"),
		fileKind("cm/key", "certificate key file"),
		{
			Path: "sys/application/service", Noun: "application service",
			Props: table(`
				description            str  -
				deviceGroup            str  none
				inheritedDevicegroup   enum:true,false  true
				inheritedTrafficGroup  enum:true,false  true
				strictUpdates          enum:enabled,disabled  enabled
				tables                 any  -
				template               str  -
				templateModified       str  no
				trafficGroup           ref:cm/traffic-group  /Common/traffic-group-1  link
				variables              any  -
			`),
		},
	}
}

// settleUser keeps no readable password where a client could read it back.
func settleUser(_ *Tx, o, _ *Object) error {
	if o.Str("password") != "" {
		o.Props["encryptedPassword"] = "!!"
	}
	if list, ok := o.Props["partitionAccess"].([]any); ok {
		for i, e := range list {
			if s, ok := e.(string); ok {
				list[i] = map[string]any{"name": s, "role": "guest"}
			}
		}
	}
	return nil
}

// fileKind is a certificate or key that profiles refer to: a name, no content.
func fileKind(path, noun string) *Kind {
	return &Kind{Path: path, Noun: noun, Props: table(`
		checksum    str  -
		sourcePath  str  -
	`)}
}
