package alerts_test

// condition is when an alert fires, and when not: series as promtool has them.
type condition struct{ fires, quiet []string }

// Two replicas, of which a leads.
const (
	a       = `namespace="l", pod="a", instance="a:8080"`
	b       = `namespace="l", pod="b", instance="b:8080"`
	leading = `landbridge_leader{` + a + `} 1x30
landbridge_leader{` + b + `} 0x30
`
	readEvery300 = `landbridge_resync_interval_seconds{backend="bigip/dc1", ` + a + `} 300x30
`
	queue = `service="shop/orders", queue="orders.work"`
)

func conditions() map[string]condition {
	return map[string]condition{
		"LandbridgeNoLeader": {
			fires: []string{`landbridge_leader{` + a + `} 0x30` + "\n" + `landbridge_leader{` + b + `} 0x30`},
			quiet: []string{leading},
		},
		"LandbridgeGone": {fires: []string{`up 1x30`}, quiet: []string{leading}},
		"LandbridgeDeviceAway": {
			fires: []string{leading + `landbridge_backend_up{backend="bigip/dc1", ` + a + `} 0x30`},
			// A standby knows nothing of the device.
			quiet: []string{leading + `landbridge_backend_up{backend="bigip/dc1", ` + a + `} 1x30` + "\n" + `landbridge_backend_up{backend="bigip/dc1", ` + b + `} 0x30`},
		},
		"LandbridgeChangesWait": {
			fires: []string{leading + `landbridge_oldest_change_seconds{backend="bigip/dc1", ` + a + `} 0+60x30`},
			quiet: []string{
				leading + `landbridge_oldest_change_seconds{backend="bigip/dc1", ` + a + `} 5x30`,
				leading + `landbridge_oldest_change_seconds{backend="bigip/dc1", ` + b + `} 0+60x30`,
			},
		},
		"LandbridgeChangesRefused": {
			fires: []string{leading + `landbridge_backing_off_services{backend="bigip/dc1", ` + a + `} 2x30`},
			quiet: []string{leading + `landbridge_backing_off_services{backend="bigip/dc1", ` + a + `} 0x30`},
		},
		"LandbridgeNotAsAsked": {
			fires: []string{`landbridge_services_not_as_asked{backend="bigip/dc1", reason="InvalidAnnotation"} 1x30`},
			quiet: []string{`landbridge_services_not_as_asked{backend="bigip/dc1", reason="InvalidAnnotation"} 0x30`},
		},
		"LandbridgeBrakeHolds": {
			fires: []string{`landbridge_brake_holding{backend="bigip/dc1"} 1x30`},
			quiet: []string{`landbridge_brake_holding{backend="bigip/dc1"} 0x30`},
		},
		"LandbridgeConfigStale": {fires: []string{`landbridge_config_stale 1x30`}, quiet: []string{`landbridge_config_stale 0x30`}},
		"LandbridgeCertificateExpires": {
			fires: []string{
				`landbridge_certificate_expiry_timestamp_seconds{backend="bigip/dc1", unit="https://a", ` + a + `} 86400x30`,
				`landbridge_certificate_expiry_timestamp_seconds{backend="mq", unit="amqps://a", ` + a + `} 600x30`, // it has
			},
			quiet: []string{
				`landbridge_certificate_expiry_timestamp_seconds{backend="bigip/dc1", unit="https://a", ` + a + `} 1300000x30`,
				// A standby that has not connected since it was renewed.
				`landbridge_certificate_expiry_timestamp_seconds{backend="bigip/dc1", unit="https://a", ` + a + `} 1300000x30
landbridge_certificate_expiry_timestamp_seconds{backend="bigip/dc1", unit="https://a", ` + b + `} 86400x30`,
			},
		},
		"LandbridgeDrift": {
			fires: []string{`landbridge_drift_repaired_total{backend="bigip/dc1"} 0x20 3x10`},
			quiet: []string{`landbridge_drift_repaired_total{backend="bigip/dc1"} 3x30`},
		},
		"LandbridgeReadsOld": {
			fires: []string{
				leading + readEvery300 + `landbridge_last_full_read_timestamp_seconds{backend="bigip/dc1", ` + a + `} -60x30`,
				leading + `landbridge_resync_interval_seconds{backend="bigip/dc1", ` + a + `} 60x30
landbridge_last_full_read_timestamp_seconds{backend="bigip/dc1", ` + a + `} 1200x30`,
			},
			quiet: []string{
				leading + readEvery300 + `landbridge_last_full_read_timestamp_seconds{backend="bigip/dc1", ` + a + `} 0+60x30`,
				leading + readEvery300 + `landbridge_last_full_read_timestamp_seconds{backend="bigip/dc1", ` + a + `} 60x30`,
				// Once an hour, and read when it was started.
				leading + `landbridge_resync_interval_seconds{backend="bigip/dc1", ` + a + `} 3600x30
landbridge_last_full_read_timestamp_seconds{backend="bigip/dc1", ` + a + `} -7200x30`,
				// Never, as the speaker.
				leading + `landbridge_last_full_read_timestamp_seconds{backend="bgp", ` + a + `} -7200x30`,
				// Each second, and scraped each minute.
				leading + `landbridge_resync_interval_seconds{backend="bigip/dc1", ` + a + `} 1x30
landbridge_last_full_read_timestamp_seconds{backend="bigip/dc1", ` + a + `} 1740x30`,
			},
		},
		"LandbridgeLoginsFail": {
			fires: []string{`landbridge_bigip_logins_total{backend="bigip/dc1", result="refused"} 0+1x30`},
			quiet: []string{`landbridge_bigip_logins_total{backend="bigip/dc1", result="ok"} 0+1x30`},
		},
		"LandbridgeFailover": {
			fires: []string{`landbridge_bigip_active_unit{backend="bigip/dc1", unit="a"} 1x20 0x10`},
			quiet: []string{`landbridge_bigip_active_unit{backend="bigip/dc1", unit="a"} 1x30`},
		},
		"LandbridgeDevicesSlow": {
			fires: []string{`landbridge_bigip_call_seconds_bucket{backend="bigip/dc1", le="5"} 0x30
landbridge_bigip_call_seconds_bucket{backend="bigip/dc1", le="10"} 0+9x30
landbridge_bigip_call_seconds_bucket{backend="bigip/dc1", le="+Inf"} 0+9x30`},
			quiet: []string{`landbridge_bigip_call_seconds_bucket{backend="bigip/dc1", le="5"} 0+9x30
landbridge_bigip_call_seconds_bucket{backend="bigip/dc1", le="+Inf"} 0+9x30`},
		},
		"LandbridgePeerDown": {
			fires: []string{`landbridge_bgp_session_up{peer="tor-a", ` + a + `} 0x30`},
			quiet: []string{`landbridge_bgp_session_up{peer="tor-a", ` + a + `} 1x30` + "\n" + `landbridge_bgp_session_up{peer="tor-a", ` + b + `} 0x30`},
		},
		"LandbridgePeerFlaps": {
			fires: []string{`landbridge_bgp_session_flaps_total{peer="tor-a"} 0+1x30`},
			quiet: []string{`landbridge_bgp_session_flaps_total{peer="tor-a"} 7x30`},
		},
		"LandbridgeKubernetesErrors": {
			fires: []string{`landbridge_kubernetes_errors_total{stage="report"} 0+30x30`},
			quiet: []string{`landbridge_kubernetes_errors_total{stage="report"} 0+1x30`},
		},
		"LandbridgeBrokerAway": {
			fires: []string{
				`landbridge_mq_connected{pod="g", vhost="/", role="consume"} 0x30`,
				`landbridge_mq_connected{pod="controller", vhost="/", role="control"} 0x30`,
			},
			quiet: []string{
				`landbridge_mq_connected{pod="g", vhost="/", role="consume"} 1x30`,
				`landbridge_mq_connected{pod="g", vhost="/", role="answer", tenant="till"} 0x30`,
			},
		},
		"LandbridgeQueueGrows": {
			fires: []string{`landbridge_mq_queue_messages{` + queue + `, state="ready"} 0+100x30
landbridge_mq_queue_publish_rate{` + queue + `} 20x30
landbridge_mq_queue_ack_rate{` + queue + `} 10x30`},
			quiet: []string{`landbridge_mq_queue_messages{` + queue + `, state="ready"} 3000-50x30
landbridge_mq_queue_publish_rate{` + queue + `} 10x30
landbridge_mq_queue_ack_rate{` + queue + `} 20x30`},
		},
		"LandbridgeQueueNotServed": {
			fires: []string{`landbridge_mq_queue_messages{` + queue + `, state="ready"} 5x30
landbridge_mq_queue_consumers{` + queue + `, side="pods"} 0x30
landbridge_mq_queue_consumers{` + queue + `, side="vms"} 0x30`},
			quiet: []string{
				`landbridge_mq_queue_messages{` + queue + `, state="ready"} 5x30
landbridge_mq_queue_consumers{` + queue + `, side="pods"} 0x30
landbridge_mq_queue_consumers{` + queue + `, side="vms"} 2x30`,
				`landbridge_mq_queue_messages{` + queue + `, state="ready"} 0x30
landbridge_mq_queue_consumers{` + queue + `, side="pods"} 0x30`,
			},
		},
		"LandbridgeDeadLetters": {
			fires: []string{
				`landbridge_mq_messages_total{` + queue + `, outcome="dead", ` + a + `} 0x20 1x10`,
				// A gateway that has begun five minutes ago, with one.
				`landbridge_mq_messages_total{` + queue + `, outcome="dead", ` + a + `} _x25 1x5`,
			},
			quiet: []string{
				`landbridge_mq_messages_total{` + queue + `, outcome="ack", ` + a + `} 0+9x30`,
				`landbridge_mq_messages_total{` + queue + `, outcome="dead", ` + a + `} 7x30`,
				`landbridge_mq_messages_total{` + queue + `, outcome="dead", ` + a + `} _x25 0x5`,
			},
		},
		"LandbridgeVMsSilent": {fires: []string{`landbridge_vms{state="silent"} 2x30`}, quiet: []string{`landbridge_vms{state="silent"} 0x30`}},
		"LandbridgeMessagesOld": {
			fires: []string{`landbridge_mq_head_age_seconds{` + queue + `} 700x30`},
			quiet: []string{`landbridge_mq_head_age_seconds{` + queue + `} 2x30`},
		},
	}
}
