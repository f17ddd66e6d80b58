package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"uuid"

	"github.com/millrace/millrace/log/broker"
	"github.com/millrace/millrace/log/client"
	"github.com/millrace/millrace/log/disk"
	"github.com/millrace/millrace/log/metadata"
	"github.com/millrace/millrace/log/partition"
	"github.com/millrace/millrace/log/wire"
)

// Node is a running node. Safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	lock    io.Closer
	quorum  *metadata.Quorum
	dir     *partition.Directory
	broker  *broker.Broker
	server  *wire.Server
	pipe    *wire.PipeListener
	kafka   net.Listener // nil without a socket
	web     net.Listener // nil without a socket
	http    *http.Server
	client  *client.Client
	serving sync.WaitGroup

	failed  chan struct{}
	closing chan struct{}
	once    sync.Once
	err     error // why failed is closed
	closes  sync.Once
	closed  error // what Close returned
}

// step is one layer of the boot: up brings it up, down takes it down again.
type step struct {
	name string
	up   func(context.Context) error
	down func() error
}

// Start boots a node and returns when it serves. ctx bounds the start only.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: cfg.Logger, failed: make(chan struct{}), closing: make(chan struct{})}
	steps := n.steps()
	for i, s := range steps {
		if err = ctx.Err(); err == nil {
			err = s.up(ctx)
		}
		if err != nil {
			err = fmt.Errorf("cannot start the node: %s: %w", s.name, err)
			return nil, errors.Join(err, down(steps[:i]))
		}
	}
	n.serving.Go(n.watch)
	return n, nil
}

// steps are the layers in boot order.
func (n *Node) steps() []step {
	return []step{
		{"data directory", n.openDir, func() error { return n.lock.Close() }},
		{"metadata", n.openQuorum, func() error { return n.quorum.Close() }},
		{"log directory", n.openLogs, func() error { return n.dir.Close() }},
		{"kafka listener", n.listen, n.closeSockets},
		{"broker", n.startBroker, func() error { n.broker.Close(); return nil }},
		{"serving", n.serve, n.stopServing},
	}
}

// down takes layers down in reverse order.
func down(steps []step) error {
	var all error
	for i := len(steps) - 1; i >= 0; i-- {
		if err := steps[i].down(); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", steps[i].name, err))
		}
	}
	return all
}

// openDir makes and locks the data directory.
func (n *Node) openDir(context.Context) error {
	if n.cfg.FS == nil {
		root, err := disk.Open(n.cfg.Dir)
		if err != nil {
			return err
		}
		n.cfg.FS = root
	}
	lock, err := n.cfg.FS.Lock("node.lock")
	n.lock = lock
	return err
}

func (n *Node) openQuorum(context.Context) error {
	q, err := metadata.Open(metadata.Config{
		Dir: filepath.Join(n.cfg.Dir, "raft"), NodeID: n.cfg.NodeID, Static: n.cfg.static(), Logger: n.log.With("part", "metadata"),
	})
	n.quorum = q
	return err
}

func (n *Node) openLogs(context.Context) error {
	dir, err := partition.OpenDirectory(partition.DirectoryConfig{
		FS: n.cfg.FS, ClusterID: n.quorum.Image().ClusterID(), NodeID: n.cfg.NodeID, Durability: n.cfg.Durability,
		FlushConcurrency: flushers(), DeleteDelay: n.deleteDelay(), Logger: n.log.With("part", "log"),
	})
	n.dir = dir
	return err
}

// deleteDelay is how long a deleted topic stays on the disk: the node's log.segment.delete.delay.ms.
func (n *Node) deleteDelay() time.Duration {
	defaults := n.quorum.TopicConfig(n.quorum.Image(), &metadata.Topic{})
	return max(defaults.FileDeleteDelay, time.Millisecond) // zero would mean the directory's own default
}

// listen opens the sockets, so that the broker can be registered with their addresses; nothing is accepted yet.
func (n *Node) listen(context.Context) error {
	n.pipe = wire.Pipe()
	var err error
	if n.cfg.KafkaListen != "" {
		if n.kafka, err = n.open(n.cfg.KafkaListen); err != nil {
			return err
		}
	}
	if n.cfg.HTTPListen != "" {
		if n.web, err = n.open(n.cfg.HTTPListen); err != nil {
			return errors.Join(err, n.closeSockets())
		}
	}
	return nil
}

func (n *Node) open(addr string) (net.Listener, error) {
	if n.cfg.NextFreePort {
		return wire.ListenNext(addr, DefaultPortTries, n.cfg.InsecureListen)
	}
	return wire.Listen(addr, n.cfg.InsecureListen)
}

func (n *Node) closeSockets() error {
	err := n.pipe.Close()
	for _, l := range []net.Listener{n.kafka, n.web} {
		if l != nil {
			if closing := l.Close(); !errors.Is(closing, net.ErrClosed) {
				err = errors.Join(err, closing)
			}
		}
	}
	return err
}

// startBroker registers this node and leads its partitions.
func (n *Node) startBroker(ctx context.Context) error {
	registration := metadata.Registration{NodeID: n.cfg.NodeID, Incarnation: uuid.New(), Unclean: !n.dir.CleanStart()}
	for _, info := range n.listeners() {
		registration.Endpoints = append(registration.Endpoints, metadata.Endpoint{Name: info.Name, Host: info.Host, Port: info.Port})
	}
	if _, err := n.quorum.RegisterBroker(ctx, registration); err != nil {
		return err
	}
	b, err := broker.New(broker.Config{
		NodeID: n.cfg.NodeID, Quorum: n.quorum, Directory: n.dir, FS: n.cfg.FS, Logger: n.log.With("part", "broker"),
	})
	n.broker = b
	return err
}

// Names of the listeners, as they stand in the broker's registration.
const (
	pipeListener  = "PIPE"
	kafkaListener = "PLAINTEXT"
)

// listeners are the Kafka listeners that are open.
func (n *Node) listeners() []wire.ListenerInfo {
	infos := []wire.ListenerInfo{{Name: pipeListener, Host: "pipe", Port: 1, Internal: true}}
	if n.kafka != nil {
		if host, port, err := hostPort(n.kafka.Addr()); err == nil {
			infos = append(infos, wire.ListenerInfo{Name: kafkaListener, Host: host, Port: port})
		}
	}
	return infos
}

// serve starts to accept.
func (n *Node) serve(context.Context) error {
	n.server = wire.NewServer(wire.Config{Handler: n.broker, Versions: n.broker.Versions(), Logger: n.log.With("part", "wire")})
	for _, info := range n.listeners() {
		var l net.Listener = n.pipe
		if info.Name == kafkaListener {
			l = n.kafka
		}
		n.serving.Go(func() {
			if err := n.server.Serve(l, info); err != nil && !errors.Is(err, wire.ErrServerClosed) {
				n.fail(fmt.Errorf("cannot accept on %s: %w", info.Name, err))
			}
		})
	}
	n.serveHTTP()
	c, err := client.New(client.Config{
		Brokers: []string{"pipe:1"}, ClientID: "millrace-node", Logger: n.log.With("part", "client"),
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return n.pipe.Dial(ctx) },
	})
	n.client = c
	if err != nil {
		return errors.Join(err, n.stopServing())
	}
	return nil
}

// stopServing closes the own client, then every connection.
func (n *Node) stopServing() error {
	if n.client != nil {
		n.client.Close()
	}
	err := n.stopHTTP()
	n.server.Close()
	n.serving.Wait()
	return err
}

// watch waits for a disk that failed.
func (n *Node) watch() {
	select {
	case <-n.closing:
	case <-n.dir.Failed():
		n.fail(fmt.Errorf("the log directory failed: %w", n.dir.Err()))
	case <-n.quorum.Failed():
		n.fail(fmt.Errorf("the metadata store failed: %w", n.quorum.Err()))
	}
}

func (n *Node) fail(err error) {
	n.once.Do(func() {
		n.err = err
		n.log.Error("the node failed and must be stopped", "err", err)
		close(n.failed)
	})
}

// Failed is closed when the node can serve no longer; Err says why.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err is why Failed is closed, nil before.
func (n *Node) Err() error {
	select {
	case <-n.failed:
		return n.err
	default:
		return nil
	}
}

// Client is a client of this node through memory; it belongs to the node and ends with it.
func (n *Node) Client() *client.Client { return n.client }

// Dial opens a connection to the broker through memory; it fits client.Config.Dial.
func (n *Node) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return n.pipe.Dial(ctx) }

// KafkaAddr is the host:port of the Kafka listener, "" without one; HTTPAddr likewise.
func (n *Node) KafkaAddr() string { return address(n.kafka) }

// HTTPAddr is the host:port of the HTTP listener, "" without one.
func (n *Node) HTTPAddr() string { return address(n.web) }

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// ClusterID is the id that the cluster was given when it was first started.
func (n *Node) ClusterID() string { return n.quorum.Image().ClusterID() }

// Close stops the node in reverse boot order; acked records are on disk when it returns, in either mode. Every further call returns what the first did,
// when that is done.
func (n *Node) Close() error {
	n.closes.Do(func() {
		close(n.closing)
		n.closed = down(n.steps())
	})
	return n.closed
}
