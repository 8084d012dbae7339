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
				sessionLimit       int  -1  since:17
				shell              str  -
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
			Props: append(table(`
				awsApiMaxConcurrency      int  1
				consoleInactivityTimeout  int  0
				customAddr                str  none
				failsafeAction            str  go-offline-restart-tm
				fileBlacklistPathPrefix          str  "`+fileBlacklist+`"
				fileBlacklistReadOnlyPathPrefix  str  {/etc/shadow}
				fileLocalPathPrefix              str  "{/shared/} {/tmp/}"
				fileWhitelistPathPrefix          str  "{/var/local/scf} {/tmp/} {/shared/} {/config/} {/usr/share/aws/}"
				guiAudit                  enum:enabled,disabled  disabled
				guiSecurityBanner         enum:enabled,disabled  enabled
				guiSetup                  enum:enabled,disabled  disabled
				hostAddrMode              str  management
				hostname                  str  `+o.Hostname+`
				lcdDisplay                enum:enabled,disabled  enabled
				ledLocator                enum:enabled,disabled  disabled
				mgmtDhcp                  enum:enabled,disabled  disabled
				netReboot                 enum:enabled,disabled  disabled
				passwordPrompt            str  Password
				quietBoot                 enum:enabled,disabled  enabled
				usernamePrompt            str  Username
			`), Prop{Name: "guiSecurityBannerText", Type: String, Default: banner}),
		},
		{
			Path: "sys/httpd", Noun: "httpd", Naming: Singleton,
			Props: table(`
				allow                     list  ["All"]
				authName                  str   BIG-IP
				authPamDashboardTimeout   str   off
				authPamIdleTimeout        int   1200
				authPamValidateIp         str   on
				description               str   -
				fastcgiTimeout            int   300
				fipsCipherVersion         int   0
				hostnameLookup            str   off
				logLevel                  str   warn
				maxClients                int   10
				redirectHttpToHttps       enum:enabled,disabled  disabled
				requestBodyMaxTimeout     int   0
				requestBodyMinRate        int   500
				requestBodyTimeout        int   60
				requestHeaderMaxTimeout   int   40
				requestHeaderMinRate      int   500
				requestHeaderTimeout      int   20
				sslCertfile               str   /etc/httpd/conf/ssl.crt/server.crt
				sslCertkeyfile            str   /etc/httpd/conf/ssl.key/server.key
				sslCiphersuite            str   -
				sslOcspDefaultResponder   str   http://127.0.0.1
				sslOcspEnable             str   off
				sslOcspOverrideResponder  str   off
				sslOcspResponderTimeout   int   300
				sslOcspResponseMaxAge     int   -1
				sslOcspResponseTimeSkew   int   300
				sslPort                   int   443
				sslProtocol               str   "all -SSLv2 -SSLv3"
				sslVerifyClient           str   no
				sslVerifyDepth            int   10
			`),
		},
		{
			Path: "sys/dns", Noun: "dns", Naming: Singleton,
			Props: table(`
				description   str   -
				nameServers   list  -
				numberOfDots  int   0
				search        list  -
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

// fileKind is a certificate or key that profiles refer to: a name, no content.
func fileKind(path, noun string) *Kind {
	return &Kind{Path: path, Noun: noun, Props: table(`
		checksum    str  -
		sourcePath  str  -
	`)}
}

// fileBlacklist is where the device lets nobody put files (captured).
const fileBlacklist = "{/shared/3dns/} {/shared/bin/} {/shared/core/} {/appdata/core/} {/shared/datasync/} {/shared/em/} " +
	"{/shared/GeoIP/} {/shared/images/} {/shared/lib/} {/shared/lib64/} {/shared/log/} {/shared/lost+found/} {/shared/mgmt/} " +
	"{/shared/nfb/} {/shared/ssh/} {/shared/statsd/} {/shared/tmstat/} {/shared/vadc/} {/config/aaa/} {/config/big3d/} " +
	"{/config/bigip/} {/config/filestore/} {/config/gtm/} {/config/httpd/} {/config/ntp.conf} {/config/rndc.key} {/config/ssh/} {/config/ssl/}"

// banner is the text of the login page (captured).
const banner = "Welcome to the BIG-IP Configuration Utility.\n\nLog in with your username and password using the fields on the left."
