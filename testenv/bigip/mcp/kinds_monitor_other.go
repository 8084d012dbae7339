package mcp

import "strings"

// otherMonitorKinds are the monitor types that are kept as objects and never
// probe. The base monitors of ldap, sip, smtp, pop3, wap, wmi, scripted,
// diameter, firepass, real-server, virtual-location, sasp, module-score and
// snmp-dca are as captured from 14.1.2.1, mysql and oracle from 15.1.0.1, ftp
// from 14.1.0.3; the others follow those. What the tables do not list is kept
// as it comes.
func otherMonitorKinds() []*Kind {
	kinds := []*Kind{
		monitorKind("diameter", "diameter", `
			interval      int:0-86400  10
			manualResume  enum:enabled,disabled  disabled
			originRealm   str  f5.com
			password      str  -  sealed
			productName   str  "F5 BIGIP Diameter Health Monitoring"
			timeUntilUp   int:0-86500  0
			timeout       int:0-86400  31
			upInterval    int:0-86400  0
			vendorId      str  3375
		`),
		monitorKind("firepass", "firepass", `
			cipherlist        str  HIGH:!ADH
			concurrencyLimit  int  95
			destination       str  *:*
			interval          int:0-86400  5
			maxLoadAverage    int  12
			password          str  -  sealed
			timeUntilUp       int:0-86500  0
			timeout           int:0-86400  16
			upInterval        int:0-86400  0
			username          str  gtmuser
		`),
		monitorKind("ftp", "ftp", probing("10", "31")+`
			mode  enum:passive,port  passive
		`),
		monitorKind("ldap", "ldap", probing("10", "31")+`
			chaseReferrals  enum:yes,no  yes
		`),
		monitorKind("module-score", "module_score", `
			debug          enum:yes,no  no
			interval       int:0-86400  10
			snmpCommunity  str  public
			snmpPort       int  161
			snmpVersion    str  v2c
			timeUntilUp    int:0-86500  0
			timeout        int:0-86400  30
			upInterval     int:0-86400  0
		`),
		monitorKind("real-server", "real_server", `
			agent        str  "Mozilla/4.0 (compatible: MSIE 5.0; Windows NT)"
			interval     int:0-86400  5
			method       str  GET
			metrics      str  "ServerBandwidth:1.5, CPUPercentUsage, MemoryUsage, TotalClientCount"
			timeUntilUp  int:0-86500  0
			timeout      int:0-86400  16
			tmCommand    str  GetServerStats
		`),
		monitorKind("sasp", "sasp", `
			interval     str  auto
			mode         str  push
			protocol     str  tcp
			service      str  3860
			timeUntilUp  int:0-86500  0
		`),
		monitorKind("sip", "sip", probing("5", "16")+`
			cipherlist     str  DEFAULT:+SHA:+3DES:+kEDH
			compatibility  enum:enabled,disabled  enabled
			mode           enum:sips,tcp,tls,udp  udp
		`),
		monitorKind("snmp-dca", "snmp_dca", `
			agentType          str  UCD
			community          str  public
			cpuCoefficient     str  1.5
			cpuThreshold       str  80
			diskCoefficient    str  2.0
			diskThreshold      str  90
			interval           int:0-86400  10
			memoryCoefficient  str  1.0
			memoryThreshold    str  70
			timeUntilUp        int:0-86500  0
			timeout            int:0-86400  30
			version            str  v1
		`),
		monitorKind("virtual-location", "virtual_location", `
			debug        enum:yes,no  no
			interval     int:0-86400  5
			timeUntilUp  int:0-86500  0
			timeout      int:0-86400  16
			upInterval   int:0-86400  0
		`),
		monitorKind("wmi", "wmi", `
			agent        str  "Mozilla/4.0 (compatible: MSIE 5.0; Windows NT)"
			destination  str  *:80
			interval     int:0-86400  5
			method       str  POST
			metrics      str  "LoadPercentage, DiskUsage, PhysicalMemoryUsage:1.5, VirtualMemoryUsage:2.0"
			password     str  -  sealed
			post         str  RespFormat=HTML
			timeUntilUp  int:0-86500  0
			timeout      int:0-86400  16
			tmCommand    str  "GetCPUInfo, GetDiskInfo, GetOSInfo"
			url          str  /scripts/F5Isapi.dll
		`),
	}
	kinds = append(kinds, databaseMonitorKinds()...)
	for _, name := range []string{"smtp", "pop3", "imap"} {
		kinds = append(kinds, monitorKind(name, name, probing("5", "16")))
	}
	for _, name := range []string{
		"dns", "mqtt", "nntp", "radius", "radius-accounting", "rpc", "scripted", "smb", "snmp-dca-base", "soap", "wap",
	} {
		kinds = append(kinds, monitorKind(name, strings.ReplaceAll(name, "-", "_"), probing("10", "31")))
	}
	for _, k := range kinds {
		k.Open = true
	}
	return kinds
}

// databaseMonitorKinds ask a database a question and look at one cell of its
// answer.
func databaseMonitorKinds() []*Kind {
	var out []*Kind
	for _, name := range []string{"mssql", "mysql", "oracle", "postgresql"} {
		out = append(out, monitorKind(name, name, probing("30", "91")+`
			count       str  0
			database    str  -
			recvColumn  str  -
			recvRow     str  -
		`))
	}
	return out
}

// probing is what most monitors have that talk to a service.
func probing(interval, timeout string) string {
	return `
	appService    str  -
	debug         enum:yes,no  no
	description   str  -
	destination   str  *:*
	interval      int:0-86400  ` + interval + `
	manualResume  enum:enabled,disabled  disabled
	metadata      any  -
	password      str  -  sealed
	recv          str  -
	send          str  -
	timeUntilUp   int:0-86500  0
	timeout       int:0-86400  ` + timeout + `
	upInterval    int:0-86400  0
	username      str  -
`
}
