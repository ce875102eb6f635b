package gateway

import (
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/queue"
)

// numbers count what the gateway does, in the format of Prometheus.
type numbers struct{ set *metrics.Set }

func newNumbers(q *queue.Queue) *numbers {
	set := metrics.NewSet()
	set.NewGauge(appliance.MetricWaiting, func() float64 { return float64(q.Load().Waiting) })
	set.NewGauge(appliance.MetricRunning, func() float64 { return float64(q.Load().Running) })
	return &numbers{set}
}

func (n *numbers) count(route string, status int) {
	n.set.GetOrCreateCounter(fmt.Sprintf(`%s{route=%q,status="%d"}`, appliance.MetricRequests, route, status)).Inc()
}

// firstByte is the time from the moment the engine was asked.
func (n *numbers) firstByte(route string, took time.Duration) {
	n.set.GetOrCreatePrometheusHistogramExt(fmt.Sprintf(`%s{route=%q}`, appliance.MetricFirstByte, route), firstByteBuckets).Update(took.Seconds())
}

// firstByteBuckets are seconds: on a CPU a prompt takes from one to a thousand.
var firstByteBuckets = []float64{0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000}

func (n *numbers) write(w io.Writer) { n.set.WritePrometheus(w) }
