// Package awssim is a strict simulator of the parts of AWS that an MFA session
// touches: STS, the calls of IAM about users, devices, keys and roles, and the
// console's sign-in federation endpoint. A [Sim] is an [http.Handler] that
// verifies signatures, one-time codes, durations and trust policies and refuses
// in AWS's words, and that misbehaves on order ([Fault]). It never connects
// to anything, never reads a file or the environment, shares no code with any
// client, and never grants what AWS would refuse: where AWS's documents are
// silent it takes the stricter reading and says so beside the rule.
//
// # What it is good for
//
// Tests, also inside [testing/synctest] bubbles ([Sim.ServePipe]), and a demo
// without an AWS account ([Start], [Sim.Listen]). Wire types, constraints and
// error codes are those of the AWS STS API Reference (2011-06-15), the IAM API
// Reference (2010-05-08) and the IAM User Guide.
//
// # What it leaves out
//
// Policies are reduced to lists of actions, a role's principals and the
// conditions named in [Role]. Presigned requests, RegionDisabledException (but
// see [Refuse]), service-linked roles and every other service are not there. A
// request is told apart by its credential scope, never by its host.
//
// # Shortened time
//
// [Sim.LifetimeFactor] and [Sim.CodeStepFactor] let hours pass in minutes.
// Requests are still checked by AWS's limits; only what is granted is shorter.
package awssim
