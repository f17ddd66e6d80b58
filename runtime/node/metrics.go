package node

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/millrace/millrace/log/broker"
)

// metricsHandler serves the figures of every layer in Prometheus' form. They are read when they are asked for: nothing is counted twice.
func (n *Node) metricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		nodeCollector{n},
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// nodeCollector turns the Stats of the packages into metrics.
type nodeCollector struct{ n *Node }

// Describe sends nothing: which partitions and keys there are is known only when they are collected.
func (nodeCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads every layer once.
func (c nodeCollector) Collect(out chan<- prometheus.Metric) {
	c.wire(out)
	c.logs(out)
	c.metadata(out)
}

func (c nodeCollector) wire(out chan<- prometheus.Metric) {
	s := c.n.server.Stats()
	gauge(out, "millrace_connections", "Connections that are open.", float64(s.Connections))
	counter(out, "millrace_connections_accepted_total", "Connections accepted.", float64(s.Accepted))
	counter(out, "millrace_network_received_bytes_total", "Bytes of requests.", float64(s.BytesIn))
	counter(out, "millrace_network_sent_bytes_total", "Bytes of replies.", float64(s.BytesOut))
	gauge(out, "millrace_requests_in_flight_bytes", "Bytes of requests in memory.", float64(s.InFlight))
	counter(out, "millrace_requests_blocked_total", "Times a connection waited for the node's memory budget.", float64(s.Blocked))
	for reason, times := range s.Closed {
		counter(out, "millrace_connections_closed_total", "Connections ended or refused, by reason.", float64(times), "reason", reason)
	}
	for key, times := range s.Requests {
		counter(out, "millrace_requests_total", "Requests, by API.", float64(times), "api", broker.APIName(key))
	}
}

func (c nodeCollector) logs(out chan<- prometheus.Metric) {
	d := c.n.dir.Stats()
	counter(out, "millrace_log_flushes_total", "Syncs of the group commit.", float64(d.Flushes))
	counter(out, "millrace_log_flush_seconds_total", "Time spent in them.", d.FlushTime.Seconds())
	failed := 0.0
	if c.n.dir.Err() != nil {
		failed = 1
	}
	gauge(out, "millrace_log_directory_failed", "1 after the first failed sync: nothing is acked any more.", failed)
	for _, p := range c.n.broker.Partitions() {
		labels := []string{"topic", p.Topic, "partition", strconv.Itoa(int(p.Index))}
		gauge(out, "millrace_partition_bytes", "Written bytes.", float64(p.Stats.Bytes), labels...)
		gauge(out, "millrace_partition_segments", "Segments.", float64(p.Stats.Segments), labels...)
		gauge(out, "millrace_partition_start_offset", "Log start offset.", float64(p.Stats.Start), labels...)
		gauge(out, "millrace_partition_end_offset", "Log end offset.", float64(p.Stats.End), labels...)
		gauge(out, "millrace_partition_high_watermark", "High watermark.", float64(p.HighWatermark), labels...)
		gauge(out, "millrace_partition_producers", "Idempotent producers with state.", float64(p.Stats.Producers), labels...)
		online := 1.0
		if !p.Online {
			online = 0
		}
		gauge(out, "millrace_partition_online", "1 while the partition is served.", online, labels...)
	}
}

func (c nodeCollector) metadata(out chan<- prometheus.Metric) {
	s := c.n.quorum.Stats()
	gauge(out, "millrace_metadata_term", "Term of the controller quorum.", float64(s.Term))
	gauge(out, "millrace_metadata_applied_index", "Last applied entry.", float64(s.AppliedIndex))
	gauge(out, "millrace_topics", "Topics.", float64(c.n.quorum.Image().TopicCount()))
}

func gauge(out chan<- prometheus.Metric, name, help string, value float64, labels ...string) {
	send(out, prometheus.GaugeValue, name, help, value, labels)
}

func counter(out chan<- prometheus.Metric, name, help string, value float64, labels ...string) {
	send(out, prometheus.CounterValue, name, help, value, labels)
}

// send makes one sample; labels are pairs of name and value.
func send(out chan<- prometheus.Metric, kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, value, values...)
}
