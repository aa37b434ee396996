// Package schema holds the JSON schema of cloud-config documents, generated
// from the types and their comments.
package schema

import _ "embed"

//go:generate go run rancheros/cloudconfig/gen -top ../..

// JSON is the schema, for editors and for `ros config schema`.
//
//go:embed schema.json
var JSON string
