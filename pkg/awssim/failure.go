package awssim

import (
	"net/http"
	"strings"
)

// failure is AWS's refusal of a request.
type failure struct {
	status        int
	code, message string
}

// Texts that more than one rule ends in. They are AWS's own, blanks included.
const (
	textInvalidToken = "The security token included in the request is invalid."
	textExpired      = "The security token included in the request is expired"
	textBadSignature = "The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	textBadCode   = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
	textBadDevice = "MultiFactorAuthentication failed, unable to validate MFA code.  " +
		"Please verify your MFA serial number is valid and associated with this user."
	textHalfMFA = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
)

func forbidden(code, message string) *failure {
	return &failure{http.StatusForbidden, code, message}
}

func badRequest(code, message string) *failure {
	return &failure{http.StatusBadRequest, code, message}
}

func accessDenied(message string) *failure        { return forbidden("AccessDenied", message) }
func invalidToken() *failure                      { return forbidden("InvalidClientTokenId", textInvalidToken) }
func signatureMismatch(message string) *failure   { return forbidden("SignatureDoesNotMatch", message) }
func incompleteSignature(message string) *failure { return badRequest("IncompleteSignature", message) }
func validation(message string) *failure          { return badRequest("ValidationError", message) }

func noSuchEntity(message string) *failure {
	return &failure{http.StatusNotFound, "NoSuchEntity", message}
}

// notAuthorized is how a refusal by policy begins ("IAM User Guide,
// Troubleshoot access denied error messages"). STS's own stop here, whether the
// role exists or not.
func notAuthorized(arn, action, resource string) *failure {
	return accessDenied("User: " + arn + " is not authorized to perform: " + action + " on resource: " + resource)
}

func notAllowed(arn, action, resource string) *failure {
	f := notAuthorized(arn, action, resource)
	f.message += " because no identity-based policy allows the " + action + " action"
	return f
}

func explicitlyDenied(arn, action, resource string) *failure {
	f := notAuthorized(arn, action, resource)
	f.message += " with an explicit deny in an identity-based policy"
	return f
}

// constraints is the refusal of parameters that break the service's model.
func constraints(broken []string) *failure {
	if len(broken) == 1 {
		return validation("1 validation error detected: " + broken[0])
	}
	return validation(itoa(len(broken)) + " validation errors detected: " + strings.Join(broken, "; "))
}
