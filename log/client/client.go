package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Defaults of Config.
const (
	// DefaultClientID names connections whose Config has no ClientID.
	DefaultClientID = "millrace"
	// DefaultMaxResponseBytes bounds one response frame: twice the most a fetch asks for, and some air.
	DefaultMaxResponseBytes = 64 << 20
	// DefaultMaxRequestBytes bounds one request frame.
	DefaultMaxRequestBytes = 16 << 20
	// DefaultMetadataMinAge is the shortest time between two metadata requests. Small, so that a new topic or a moved leader is seen at once.
	DefaultMetadataMinAge = 50 * time.Millisecond
	// DefaultMetadataMaxAge is Kafka's metadata.max.age.ms.
	DefaultMetadataMaxAge = 5 * time.Minute
	// DefaultDialTimeout bounds one dial.
	DefaultDialTimeout = 10 * time.Second
	// DefaultRetryTimeout bounds the retries of one request that fails retriably.
	DefaultRetryTimeout = 30 * time.Second

	// embeddedBroker is the seed when only a Dial is given: the dialer of a pipe serves one node, whatever the address.
	embeddedBroker = "embedded:9092"
)

// Config says how to reach a log. It needs Brokers or Dial; every other field may be zero.
type Config struct {
	// Brokers are host:port seeds. With a Dial and no Brokers the one seed is the dialer's own node.
	Brokers []string
	// Dial replaces TCP: the in-memory pipe of an embedded node, TLS, a proxy. It is called from several goroutines.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// ClientID is sent with every request. Default: DefaultClientID.
	ClientID string
	// Logger gets the library's warnings and errors, and its transitions at debug level. Nil: silence.
	Logger *slog.Logger

	MaxResponseBytes int32         // one response frame; default DefaultMaxResponseBytes
	MaxRequestBytes  int32         // one request frame; default DefaultMaxRequestBytes
	MetadataMinAge   time.Duration // default DefaultMetadataMinAge; at least 10 ms
	MetadataMaxAge   time.Duration // default DefaultMetadataMaxAge
	RetryTimeout     time.Duration // default DefaultRetryTimeout
}

// Client knows how to reach one log. It holds connections for administration only; producers, consumers and group members
// made from it own theirs and are closed by whoever made them. Its methods may be called from several goroutines.
type Client struct {
	cfg   Config
	admin Admin
}

// New checks cfg and returns a client. It dials nothing: the first request does.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("cannot create log client: %w", err)
	}
	c := &Client{cfg: cfg}
	cl, err := c.dial()
	if err != nil {
		return nil, fmt.Errorf("cannot create log client: %w", err)
	}
	c.admin = Admin{cl: cl, adm: kadm.NewClient(cl)}
	return c, nil
}

// Admin returns the administration of this log. It is valid until Close.
func (c *Client) Admin() *Admin { return &c.admin }

// Close closes the connections of Admin and waits for their goroutines. Producers, consumers and group members stay open.
func (c *Client) Close() { c.admin.cl.Close() }

func (cfg Config) withDefaults() (Config, error) {
	if len(cfg.Brokers) == 0 {
		if cfg.Dial == nil {
			return cfg, errors.New("no brokers and no dialer")
		}
		cfg.Brokers = []string{embeddedBroker}
	}
	for _, b := range cfg.Brokers {
		if b == "" {
			return cfg, errors.New("empty broker address")
		}
	}
	cfg.ClientID = cmp.Or(cfg.ClientID, DefaultClientID)
	cfg.MaxResponseBytes = cmp.Or(cfg.MaxResponseBytes, DefaultMaxResponseBytes)
	cfg.MaxRequestBytes = cmp.Or(cfg.MaxRequestBytes, DefaultMaxRequestBytes)
	cfg.MetadataMinAge = cmp.Or(cfg.MetadataMinAge, DefaultMetadataMinAge)
	cfg.MetadataMaxAge = cmp.Or(cfg.MetadataMaxAge, DefaultMetadataMaxAge)
	cfg.RetryTimeout = cmp.Or(cfg.RetryTimeout, DefaultRetryTimeout)
	return cfg, nil
}

// dial returns a franz-go client of this log with more options. Each producer, consumer and member has one of its own, so that
// a parked fetch never delays a commit or a produce on the same connection.
func (c *Client) dial(more ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.cfg.Brokers...),
		kgo.ClientID(c.cfg.ClientID),
		kgo.SoftwareNameAndVersion("millrace", "1"),
		kgo.BrokerMaxReadBytes(c.cfg.MaxResponseBytes),
		kgo.BrokerMaxWriteBytes(c.cfg.MaxRequestBytes),
		kgo.MetadataMinAge(c.cfg.MetadataMinAge),
		kgo.MetadataMaxAge(c.cfg.MetadataMaxAge),
		kgo.RetryTimeout(c.cfg.RetryTimeout),
		kgo.DisableClientMetrics(),
	}
	if c.cfg.Dial != nil {
		opts = append(opts, kgo.Dialer(c.cfg.Dial))
	} else {
		opts = append(opts, kgo.DialTimeout(DefaultDialTimeout))
	}
	if c.cfg.Logger != nil {
		opts = append(opts, kgo.WithLogger(logAdapter{c.cfg.Logger}))
	}
	return kgo.NewClient(append(opts, more...)...)
}
