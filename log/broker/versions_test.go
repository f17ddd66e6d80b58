package broker

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"uuid"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// served is a real request per API key, and what its answer must carry. The world has topic "t" with one record and group "g".
type served struct {
	request func(t *testing.T, version int16, topic uuid.UUID) kmsg.Request
	check   func(kmsg.Response) error
}

// noError fails with the first code that is set.
func noError(codes ...int16) error {
	for i, code := range codes {
		if code != 0 {
			return fmt.Errorf("error %d of the reply: %w", i, kerr.ErrorForCode(code))
		}
	}
	return nil
}

func servedRequests() map[int16]served {
	requests := servedLogs()
	maps.Copy(requests, servedGroups())
	maps.Copy(requests, servedAdmin())
	return requests
}

func servedLogs() map[int16]served {
	return map[int16]served{
		0: {func(t *testing.T, v int16, id uuid.UUID) kmsg.Request {
			return produceTo(v, "t", id, 1, plain(t, "a"))
		}, func(r kmsg.Response) error {
			p := r.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			if p.BaseOffset < 1 {
				return fmt.Errorf("base offset %d", p.BaseOffset)
			}
			return noError(p.ErrorCode)
		}},
		1: {func(_ *testing.T, v int16, id uuid.UUID) kmsg.Request { return fetchOf(v, at{topic: "t", id: id}) }, func(r kmsg.Response) error {
			p := r.(*kmsg.FetchResponse).Topics[0].Partitions[0]
			if len(p.RecordBatches) == 0 {
				return fmt.Errorf("no records")
			}
			return noError(p.ErrorCode)
		}},
		2: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request { return listOffsetsOf(v, "t", timestampLatest) }, func(r kmsg.Response) error {
			p := r.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
			if p.Offset < 1 {
				return fmt.Errorf("latest is %d", p.Offset)
			}
			return noError(p.ErrorCode)
		}},
		3: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request { return metadataFor(v, "t") }, func(r kmsg.Response) error {
			m := r.(*kmsg.MetadataResponse)
			if len(m.Brokers) != 1 || m.Brokers[0].Host != testHost || m.Brokers[0].Port != testPort || *m.Topics[0].Topic != "t" {
				return fmt.Errorf("%+v", m)
			}
			return noError(m.Topics[0].ErrorCode, m.Topics[0].Partitions[0].ErrorCode)
		}},
		18: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrApiVersionsRequest(), v)
			req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1.0"
			return req
		}, func(r kmsg.Response) error {
			a := r.(*kmsg.ApiVersionsResponse)
			if len(a.ApiKeys) != len(apiTable()) {
				return fmt.Errorf("%d keys", len(a.ApiKeys))
			}
			return noError(a.ErrorCode)
		}},
		22: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			return versioned(kmsg.NewPtrInitProducerIDRequest(), v)
		}, func(r kmsg.Response) error {
			p := r.(*kmsg.InitProducerIDResponse)
			if p.ProducerID < 0 || p.ProducerEpoch != 0 {
				return fmt.Errorf("producer %d, epoch %d", p.ProducerID, p.ProducerEpoch)
			}
			return noError(p.ErrorCode)
		}},
		23: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request { return epochEndOf(v, "t", 0) }, func(r kmsg.Response) error {
			p := r.(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
			if p.LeaderEpoch != 0 || p.EndOffset < 1 {
				return fmt.Errorf("epoch %d ends at %d", p.LeaderEpoch, p.EndOffset)
			}
			return noError(p.ErrorCode)
		}},
	}
}

func servedGroups() map[int16]served {
	return map[int16]served{
		8: {func(_ *testing.T, v int16, id uuid.UUID) kmsg.Request { return commitOf(v, "g", "t", id, 7) }, func(r kmsg.Response) error {
			return noError(r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
		}},
		9: {func(_ *testing.T, v int16, id uuid.UUID) kmsg.Request { return committedOf(v, "g", "t", id) }, func(r kmsg.Response) error {
			offset, err := committedIn(r.(*kmsg.OffsetFetchResponse))
			if err == nil && offset != 7 {
				err = fmt.Errorf("offset %d, want 7", offset)
			}
			return err
		}},
		10: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrFindCoordinatorRequest(), v)
			req.CoordinatorKey, req.CoordinatorKeys = "g", []string{"g", "h"}
			return req
		}, func(r kmsg.Response) error {
			f := r.(*kmsg.FindCoordinatorResponse)
			if f.Version >= 4 {
				if len(f.Coordinators) != 2 || f.Coordinators[1].Key != "h" || f.Coordinators[1].Host != testHost {
					return fmt.Errorf("%+v", f.Coordinators)
				}
				return noError(f.Coordinators[0].ErrorCode, f.Coordinators[1].ErrorCode)
			}
			if f.Host != testHost || f.Port != testPort {
				return fmt.Errorf("%s:%d", f.Host, f.Port)
			}
			return noError(f.ErrorCode)
		}},
		11: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrJoinGroupRequest(), v)
			req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = fmt.Sprintf("join-%d", v), 10_000, 10_000, "consumer"
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Name, p.Metadata = "range", []byte{0}
			req.Protocols = append(req.Protocols, p)
			return req
		}, func(r kmsg.Response) error {
			j := r.(*kmsg.JoinGroupResponse)
			if j.MemberID == "" {
				return fmt.Errorf("no member id")
			}
			if j.Version >= 4 && j.ErrorCode == kerr.MemberIDRequired.Code { // KIP-394
				return nil
			}
			return noError(j.ErrorCode)
		}},
		12: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrHeartbeatRequest(), v)
			req.Group, req.MemberID = "g", "nobody"
			return req
		}, func(r kmsg.Response) error { return only(r.(*kmsg.HeartbeatResponse).ErrorCode, kerr.UnknownMemberID) }},
		13: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrLeaveGroupRequest(), v)
			req.Group, req.MemberID = "g", "nobody"
			m := kmsg.NewLeaveGroupRequestMember()
			m.MemberID = "nobody"
			req.Members = append(req.Members, m)
			return req
		}, func(r kmsg.Response) error {
			l := r.(*kmsg.LeaveGroupResponse)
			if l.Version >= 3 {
				return only(l.Members[0].ErrorCode, kerr.UnknownMemberID)
			}
			return only(l.ErrorCode, kerr.UnknownMemberID)
		}},
		14: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrSyncGroupRequest(), v)
			req.Group, req.MemberID = "g", "nobody"
			return req
		}, func(r kmsg.Response) error { return only(r.(*kmsg.SyncGroupResponse).ErrorCode, kerr.UnknownMemberID) }},
		15: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrDescribeGroupsRequest(), v)
			req.Groups = []string{"g", "missing"}
			return req
		}, func(r kmsg.Response) error {
			d := r.(*kmsg.DescribeGroupsResponse)
			if len(d.Groups) != 2 || d.Groups[0].State != "Empty" || d.Groups[1].State != "Dead" {
				return fmt.Errorf("%+v", d.Groups)
			}
			if d.Version >= 6 { // KIP-1043
				return only(d.Groups[1].ErrorCode, kerr.GroupIDNotFound)
			}
			return noError(d.Groups[0].ErrorCode, d.Groups[1].ErrorCode)
		}},
		16: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			return versioned(kmsg.NewPtrListGroupsRequest(), v)
		}, func(r kmsg.Response) error {
			l := r.(*kmsg.ListGroupsResponse)
			if !slices.ContainsFunc(l.Groups, func(g kmsg.ListGroupsResponseGroup) bool { return g.Group == "g" }) {
				return fmt.Errorf("%+v", l.Groups)
			}
			return noError(l.ErrorCode)
		}},
		42: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrDeleteGroupsRequest(), v)
			req.Groups = []string{"missing"}
			return req
		}, func(r kmsg.Response) error {
			return only(r.(*kmsg.DeleteGroupsResponse).Groups[0].ErrorCode, kerr.GroupIDNotFound)
		}},
		47: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrOffsetDeleteRequest(), v)
			req.Group = "g"
			topic := kmsg.NewOffsetDeleteRequestTopic()
			topic.Topic = "t"
			topic.Partitions = append(topic.Partitions, kmsg.NewOffsetDeleteRequestTopicPartition())
			req.Topics = append(req.Topics, topic)
			return req
		}, func(r kmsg.Response) error {
			d := r.(*kmsg.OffsetDeleteResponse)
			return noError(d.ErrorCode, d.Topics[0].Partitions[0].ErrorCode)
		}},
	}
}

// only wants exactly one code.
func only(code int16, wanted *kerr.Error) error {
	if code != wanted.Code {
		return fmt.Errorf("error %v, want %v", kerr.ErrorForCode(code), wanted)
	}
	return nil
}

func servedAdmin() map[int16]served {
	return map[int16]served{
		19: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request { return creation(v, fmt.Sprintf("made-%d", v)) }, func(r kmsg.Response) error {
			return noError(r.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
		}},
		20: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			req := versioned(kmsg.NewPtrDeleteTopicsRequest(), v)
			name := "missing"
			topic := kmsg.NewDeleteTopicsRequestTopic()
			topic.Topic = &name
			req.TopicNames, req.Topics = []string{name}, append(req.Topics, topic)
			return req
		}, func(r kmsg.Response) error {
			return only(r.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode, kerr.UnknownTopicOrPartition)
		}},
		21: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request { return deletionOf(v, "t", 0) }, func(r kmsg.Response) error {
			p := r.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
			if p.LowWatermark != 0 {
				return fmt.Errorf("low watermark %d", p.LowWatermark)
			}
			return noError(p.ErrorCode)
		}},
		32: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			return configsOf(v, kmsg.ConfigResourceTypeTopic, "t")
		}, func(r kmsg.Response) error {
			d := r.(*kmsg.DescribeConfigsResponse).Resources[0]
			if len(d.Configs) == 0 {
				return fmt.Errorf("no configs")
			}
			return noError(d.ErrorCode)
		}},
		44: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			return alteration(v, "t", kmsg.IncrementalAlterConfigOpSet, "retention.ms", "1000")
		}, func(r kmsg.Response) error {
			return noError(r.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode)
		}},
		60: {func(_ *testing.T, v int16, _ uuid.UUID) kmsg.Request {
			return versioned(kmsg.NewPtrDescribeClusterRequest(), v)
		}, func(r kmsg.Response) error {
			d := r.(*kmsg.DescribeClusterResponse)
			if d.ClusterID == "" || len(d.Brokers) != 1 || d.Brokers[0].Host != testHost {
				return fmt.Errorf("%+v", d)
			}
			return noError(d.ErrorCode)
		}},
	}
}

// Every version between the lowest and the highest must be answered with something that decodes to the last byte.
func TestEveryServedVersionAnswers(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("t", 1, nil)
	c := r.dial()
	c.mustProduce("t", plain(t, "a"))
	c.coordinator("g")
	c.commit("g", "t", id, 7)
	requests, table := servedRequests(), apiTable()
	for _, key := range slices.Sorted(maps.Keys(table)) {
		a := table[key]
		s, ok := requests[key]
		if !ok {
			t.Errorf("%s (%d) is served and has no request here", a.name, key)
			continue
		}
		for version := a.min; version <= a.max; version++ {
			if key == 47 {
				c.commit("g", "t", id, 7) // what the version before deleted
			}
			t.Run(fmt.Sprintf("%s-v%d", a.name, version), func(t *testing.T) {
				c := r.dial()
				c.t = t
				req := s.request(t, version, id)
				if req.Key() != key {
					t.Fatalf("the request is one of key %d", req.Key())
				}
				req.SetVersion(version)
				if err := s.check(c.receive(c.send(req), req)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A version beyond the table closes the connection, but for those with a form of their own.
func TestUnsupportedVersionsClose(t *testing.T) {
	r := newRig(t, nil)
	id := r.topic("t", 1, nil)
	requests := servedRequests()
	for key, a := range apiTable() {
		if key == 18 {
			continue
		}
		for _, version := range []int16{a.advertised - 1, a.max + 1} {
			if version < 0 {
				continue
			}
			c := r.dial()
			req := requests[key].request(t, a.max, id)
			frame := kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)
			frame[6], frame[7] = byte(version>>8), byte(version)
			c.write(frame)
			c.gone()
		}
	}
}

func TestUnknownKeyCloses(t *testing.T) {
	r := newRig(t, nil)
	for _, key := range []int16{4, 5, 6, 7, 24, 25, 26, 28, 68, 1000, -1} { // 4 to 7 are gone since Kafka 4.0
		c := r.dial()
		frame := kmsg.NewRequestFormatter().AppendRequest(nil, versioned(kmsg.NewPtrHeartbeatRequest(), 0), 1)
		frame[4], frame[5] = byte(uint16(key)>>8), byte(key)
		c.write(frame)
		c.gone()
	}
}
