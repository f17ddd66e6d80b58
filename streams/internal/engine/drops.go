package engine

// Reasons for which records are dropped, beside the stages of errors.
const (
	dropNullKey   = "null-key"
	dropNullValue = "null-value"
	dropLate      = "late"
	dropNoTopic   = "no-topic"
)
