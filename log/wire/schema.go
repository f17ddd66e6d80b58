package wire

// messages describes the requests that the walker knows, after Kafka's message definitions:
//
//	KEY NAME max VERSION [flexible VERSION]
//	  FIELD TYPE [VERSIONS] [tag N]
//
// FIELD is the name in kmsg's structs, from which the size of an element in memory is taken; a name that is not there
// is a bug found at construction. TYPE is bool, i8 … i64, uuid, string, bytes, {} (fields indented below), or an array
// of these ([]i32, []{}). "?" behind it means that it may be null, "?2+" from that version on. VERSIONS is 3+, 0-12 or
// a single version, and all versions if it is missing.
const messages = `
0 Produce max 13 flexible 9
  TransactionID string? 3+
  Acks i16
  TimeoutMillis i32
  Topics []{}
    Topic string 0-12
    TopicID uuid 13+
    Partitions []{}
      Partition i32
      Records bytes?
1 Fetch max 18 flexible 12
  ReplicaID i32 0-14
  MaxWaitMillis i32
  MinBytes i32
  MaxBytes i32 3+
  IsolationLevel i8 4+
  SessionID i32 7+
  SessionEpoch i32 7+
  Topics []{}
    Topic string 0-12
    TopicID uuid 13+
    Partitions []{}
      Partition i32
      CurrentLeaderEpoch i32 9+
      FetchOffset i64
      LastFetchedEpoch i32 12+
      LogStartOffset i64 5+
      PartitionMaxBytes i32
      ReplicaDirectoryID uuid 17+ tag 0
      HighWatermark i64 18+ tag 1
  ForgottenTopics []{} 7+
    Topic string 7-12
    TopicID uuid 13+
    Partitions []i32
  Rack string 11+
  ClusterID string? 12+ tag 0
  ReplicaState {} 15+ tag 1
    ID i32
    Epoch i64
2 ListOffsets max 11 flexible 6
  ReplicaID i32
  IsolationLevel i8 2+
  Topics []{}
    Topic string
    Partitions []{}
      Partition i32
      CurrentLeaderEpoch i32 4+
      Timestamp i64
      MaxNumOffsets i32 0-0
  TimeoutMillis i32 10+
3 Metadata max 13 flexible 9
  Topics []{}?1+
    TopicID uuid 10+
    Topic string?10+
  AllowAutoTopicCreation bool 4+
  IncludeClusterAuthorizedOperations bool 8-10
  IncludeTopicAuthorizedOperations bool 8+
8 OffsetCommit max 10 flexible 8
  Group string
  Generation i32 1+
  MemberID string 1+
  InstanceID string? 7+
  RetentionTimeMillis i64 2-4
  Topics []{}
    Topic string 0-9
    TopicID uuid 10+
    Partitions []{}
      Partition i32
      Offset i64
      Timestamp i64 1-1
      LeaderEpoch i32 6+
      Metadata string?
9 OffsetFetch max 10 flexible 6
  Group string 0-7
  Topics []{}?2+ 0-7
    Topic string
    Partitions []i32
  Groups []{} 8+
    Group string
    MemberID string? 9+
    MemberEpoch i32 9+
    Topics []{}?
      Topic string 8-9
      TopicID uuid 10+
      Partitions []i32
  RequireStable bool 7+
10 FindCoordinator max 6 flexible 3
  CoordinatorKey string 0-3
  CoordinatorType i8 1+
  CoordinatorKeys []string 4+
11 JoinGroup max 9 flexible 6
  Group string
  SessionTimeoutMillis i32
  RebalanceTimeoutMillis i32 1+
  MemberID string
  InstanceID string? 5+
  ProtocolType string
  Protocols []{}
    Name string
    Metadata bytes
  Reason string? 8+
12 Heartbeat max 4 flexible 4
  Group string
  Generation i32
  MemberID string
  InstanceID string? 3+
13 LeaveGroup max 5 flexible 4
  Group string
  MemberID string 0-2
  Members []{} 3+
    MemberID string
    InstanceID string?
    Reason string? 5+
14 SyncGroup max 5 flexible 4
  Group string
  Generation i32
  MemberID string
  InstanceID string? 3+
  ProtocolType string? 5+
  Protocol string? 5+
  GroupAssignment []{}
    MemberID string
    MemberAssignment bytes
15 DescribeGroups max 6 flexible 5
  Groups []string
  IncludeAuthorizedOperations bool 3+
16 ListGroups max 5 flexible 3
  StatesFilter []string 4+
  TypesFilter []string 5+
17 SASLHandshake max 1
  Mechanism string
18 ApiVersions max 5 flexible 3
  ClientSoftwareName string 3+
  ClientSoftwareVersion string 3+
  ClusterID string? 5+
  NodeID i32 5+
19 CreateTopics max 7 flexible 5
  Topics []{}
    Topic string
    NumPartitions i32
    ReplicationFactor i16
    ReplicaAssignment []{}
      Partition i32
      Replicas []i32
    Configs []{}
      Name string
      Value string?
  TimeoutMillis i32
  ValidateOnly bool 1+
20 DeleteTopics max 6 flexible 4
  TopicNames []string 0-5
  Topics []{} 6+
    Topic string?
    TopicID uuid
  TimeoutMillis i32
21 DeleteRecords max 2 flexible 2
  Topics []{}
    Topic string
    Partitions []{}
      Partition i32
      Offset i64
  TimeoutMillis i32
22 InitProducerID max 5 flexible 2
  TransactionalID string?
  TransactionTimeoutMillis i32
  ProducerID i64 3+
  ProducerEpoch i16 3+
23 OffsetForLeaderEpoch max 4 flexible 4
  ReplicaID i32 3+
  Topics []{}
    Topic string
    Partitions []{}
      Partition i32
      CurrentLeaderEpoch i32 2+
      LeaderEpoch i32
32 DescribeConfigs max 4 flexible 4
  Resources []{}
    ResourceType i8
    ResourceName string
    ConfigNames []string?
  IncludeSynonyms bool 1+
  IncludeDocumentation bool 3+
36 SASLAuthenticate max 2 flexible 2
  SASLAuthBytes bytes
42 DeleteGroups max 3 flexible 2
  Groups []string
44 IncrementalAlterConfigs max 1 flexible 1
  Resources []{}
    ResourceType i8
    ResourceName string
    Configs []{}
      Name string
      Op i8
      Value string?
  ValidateOnly bool
47 OffsetDelete max 0
  Group string
  Topics []{}
    Topic string
    Partitions []{}
      Partition i32
60 DescribeCluster max 2 flexible 0
  IncludeClusterAuthorizedOperations bool
  EndpointType i8 1+
  IncludeFencedBrokers bool 2+
`
