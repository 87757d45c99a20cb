package awssim

import "slices"

// Versions of the two Query APIs.
const (
	versionSTS = "2011-06-15"
	versionIAM = "2010-05-08"
)

// Patterns of the service models, as AWS repeats them in errors.
var (
	anyARN       = newPattern(`[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`)
	sessionName  = newPattern(`[\w+=,.@-]*`)
	serialNumber = newPattern(`[\w+=/:,.@-]*`)
	digits       = newPattern(`[\d]*`)
	externalID   = newPattern(`[\w+=,.@:\/-]*`)
	policyText   = newPattern(`[\u0009\u000A\u000D\u0020-\u00FF]+`)
	tagKey       = newPattern(`[\p{L}\p{Z}\p{N}_.:/=+\-@]+`)
	tagValue     = newPattern(`[\p{L}\p{Z}\p{N}_.:/=+\-@]*`)
	nameOfRole   = newPattern(`[\w+=,.@-]+`)
	keyID        = newPattern(`[\w]+`)
	marker       = newPattern(`[\u0020-\u00FF]+`)
	description  = newPattern(`[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`)
)

// Parameters that several actions take, from the STS API Reference.
var (
	pRoleARN  = param{name: "RoleArn", required: true, min: 20, max: 2048, pattern: anyARN}
	pSession  = param{name: "RoleSessionName", required: true, min: 2, max: 64, pattern: sessionName}
	pSerial   = param{name: "SerialNumber", min: 9, max: 256, pattern: serialNumber}
	pCode     = param{name: "TokenCode", min: 6, max: 6, pattern: digits}
	pPolicy   = param{name: "Policy", min: 1, max: 2048, pattern: policyText}
	pPolicies = param{name: "PolicyArns", kind: list, max: 10, fields: []param{{name: "arn", min: 20, max: 2048, pattern: anyARN}}}
	pTags     = param{name: "Tags", kind: list, max: 50, fields: []param{
		{name: "Key", required: true, min: 1, max: 128, pattern: tagKey},
		{name: "Value", required: true, max: 256, pattern: tagValue}}}
	pTransitive = param{name: "TransitiveTagKeys", kind: list, max: 50, element: &param{min: 1, max: 128, pattern: tagKey}}
	pDuration   = param{name: "DurationSeconds", kind: integer, min: 900, max: 129600}
	pRoleFor    = param{name: "DurationSeconds", kind: integer, min: 900, max: 43200}
)

// Parameters that several actions take, from the IAM API Reference.
var (
	pUser   = param{name: "UserName", min: 1, max: 128, pattern: nameOfRole}
	pRole   = param{name: "RoleName", required: true, min: 1, max: 64, pattern: nameOfRole}
	pKey    = param{name: "AccessKeyId", required: true, min: 16, max: 128, pattern: keyID}
	pMarker = param{name: "Marker", min: 1, max: 320, pattern: marker}
	pItems  = param{name: "MaxItems", kind: integer, min: 1, max: 1000}
)

// operation is one action of a service.
type operation struct {
	service, action string
	unsigned        bool // AWS wants no signature
	params          []param
	run             func(*Sim, *request) (response, *failure)
}

var operations = []operation{
	{service: "sts", action: "GetCallerIdentity", run: (*Sim).getCallerIdentity},
	{service: "sts", action: "GetSessionToken", run: (*Sim).getSessionToken,
		params: []param{pDuration, pSerial, pCode}},
	{service: "sts", action: "GetFederationToken", run: (*Sim).getFederationToken,
		params: []param{{name: "Name", required: true, min: 2, max: 32, pattern: sessionName},
			pPolicy, pPolicies, pDuration, pTags}},
	{service: "sts", action: "AssumeRole", run: (*Sim).assumeRole,
		params: []param{pRoleARN, pSession, pPolicies, pPolicy, pRoleFor, pTags, pTransitive,
			{name: "ExternalId", min: 2, max: 1224, pattern: externalID}, pSerial, pCode,
			{name: "SourceIdentity", min: 2, max: 64, pattern: sessionName}}},
	{service: "sts", action: "AssumeRoleWithSAML", unsigned: true, run: (*Sim).assumeRoleWithSAML,
		params: []param{pRoleARN, {name: "PrincipalArn", required: true, min: 20, max: 2048, pattern: anyARN},
			{name: "SAMLAssertion", required: true, min: 4, max: 100000, secret: true},
			pPolicies, pPolicy, pRoleFor}},
	{service: "sts", action: "AssumeRoleWithWebIdentity", unsigned: true, run: (*Sim).assumeRoleWithWebIdentity,
		params: []param{pRoleARN, pSession, {name: "WebIdentityToken", required: true, min: 4, max: 20000, secret: true},
			{name: "ProviderId", min: 4, max: 2048}, pPolicies, pPolicy, pRoleFor}},

	{service: "iam", action: "GetUser", params: []param{pUser}, run: (*Sim).getUser},
	{service: "iam", action: "ListMFADevices", params: []param{pUser, pMarker, pItems}, run: (*Sim).listMFADevices},
	{service: "iam", action: "GetRole", params: []param{pRole}, run: (*Sim).getRole},
	{service: "iam", action: "UpdateRole", run: (*Sim).updateRole,
		params: []param{pRole, {name: "Description", max: 1000, pattern: description},
			{name: "MaxSessionDuration", kind: integer, min: 3600, max: 43200}}},
	{service: "iam", action: "CreateAccessKey", params: []param{pUser}, run: (*Sim).createAccessKey},
	{service: "iam", action: "UpdateAccessKey", run: (*Sim).updateAccessKey,
		params: []param{pUser, pKey, {name: "Status", required: true, values: []string{"Active", "Inactive"}}}},
	{service: "iam", action: "DeleteAccessKey", params: []param{pUser, pKey}, run: (*Sim).deleteAccessKey},
	{service: "iam", action: "ListAccessKeys", params: []param{pUser, pMarker, pItems}, run: (*Sim).listAccessKeys},
	{service: "iam", action: "GetAccessKeyLastUsed", params: []param{pKey}, run: (*Sim).getAccessKeyLastUsed},
}

// findOperation gives the action of that service and version.
func findOperation(service, version, action string) (operation, *failure) {
	i := slices.IndexFunc(operations, func(o operation) bool {
		return o.service == service && o.action == action
	})
	known := version == versionSTS && service == "sts" || version == versionIAM && service == "iam"
	switch {
	case action == "":
		return operation{}, badRequest("MissingAction", "The request is missing an action or a required parameter.")
	case i < 0 || !known:
		return operation{}, badRequest("InvalidAction", "Could not find operation "+action+" for version "+version)
	}
	return operations[i], nil
}
