package metadata

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

// Of the TCP transport.
const (
	peerConnections = 3
	peerTimeout     = 10 * time.Second
)

func serverID(node int32) raft.ServerID { return raft.ServerID(strconv.Itoa(int(node))) }

// nodeOf is the node a server id names, -1 if it names none.
func nodeOf(id raft.ServerID) int32 {
	n, err := strconv.ParseInt(string(id), 10, 32)
	if err != nil {
		return -1
	}
	return int32(n)
}

// address is what raft calls the voter by. Without an address of its own it is the id: a transport in memory finds it by that.
func (v Voter) address() raft.ServerAddress {
	if v.Address == "" {
		return raft.ServerAddress("node-" + strconv.Itoa(int(v.NodeID)))
	}
	return raft.ServerAddress(v.Address)
}

// newTransport connects this node with the other voters; a lone voter with nobody.
func newTransport(cfg *Config, self Voter) (raft.Transport, error) {
	switch {
	case cfg.Transport != nil:
		t, err := cfg.Transport(self.address())
		if err != nil {
			return nil, fmt.Errorf("cannot make the quorum's transport: %w", err)
		}
		return t, nil
	case len(cfg.Voters) == 1:
		_, t := raft.NewInmemTransport(self.address())
		return t, nil
	}
	advertise, err := net.ResolveTCPAddr("tcp", self.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot resolve the quorum address %q: %w", self.Address, err)
	}
	layer, err := raft.NewTCPTransportWithConfig(cfg.ListenAddress, advertise, &raft.NetworkTransportConfig{
		ServerAddressProvider: voterAddresses(cfg.Voters), Logger: newRaftLogger(cfg.Logger, len(cfg.Voters) == 1), MaxPool: peerConnections, Timeout: peerTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot listen for the quorum on %s: %w", cfg.ListenAddress, err)
	}
	return layer, nil
}

// voterAddresses finds voters by id in today's configuration: the addresses in raft's log may be of yesterday.
type voterAddresses []Voter

func (v voterAddresses) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	for _, voter := range v {
		if serverID(voter.NodeID) == id {
			return voter.address(), nil
		}
	}
	return "", fmt.Errorf("no voter %s is configured", id)
}
