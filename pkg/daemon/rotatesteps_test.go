package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfad/mfad/pkg/creds"
	"github.com/mfad/mfad/pkg/localapi"
)

func TestAKeyIsRotated(t *testing.T) {
	keyBubble(t, func(w *keyWorld) {
		begun := time.Now()
		if _, err := w.rotate(nil); err != nil {
			w.t.Fatal(err)
		}
		w.settled("a rotation")
		if i := w.stored(); i.AccessKeyID != "AKIAEXAMPLE000000001" || i.SecretAccessKey != "s1" || i.UserARN != alice || i.Added.Before(begun.Truncate(time.Second)) {
			w.t.Errorf("stored %+v, want the new key, with what lay beside the old one", i)
		}
		got := slices.Compact(slices.Clone(w.points))
		want := []string{"ListAccessKeys", "UpdateAccessKey", "store", "CreateAccessKey", "store", "GetCallerIdentity", "store",
			"GetCallerIdentity", "Deactivate", "GetCallerIdentity", "DeleteAccessKey", "store"}
		if !slices.Equal(got, want) {
			w.t.Errorf("did %q\nwant %q", got, want)
		}
		if took := time.Since(begun); took < 8*time.Second || took > 20*time.Second {
			w.t.Errorf("took %v where AWS knows the key after 8s", took)
		}
	})
}

// TestARotationIsCutOffAnywhere: the daemon is killed before or after each thing
// that it does, also while it finishes what was cut off. At every moment the
// keyring's key works, and in the end the user has one key.
func TestARotationIsCutOffAnywhere(t *testing.T) {
	points := 0
	keyBubble(t, func(w *keyWorld) { _, _ = w.rotate(nil); points = len(w.points) })
	if points < 15 {
		t.Fatalf("a rotation has only %d points", points)
	}
	for first := range 2 * points {
		for second := -1; second < 2*points; second++ {
			keyBubble(t, func(w *keyWorld) {
				kill := func(at int, after bool) {
					from := len(w.points)
					w.cut = func(n int, _ string, then bool) error {
						if n-from == at+1 && then == after {
							panic(crash{})
						}
						return nil
					}
				}
				what := fmt.Sprintf("killed at %d, then at %d", first, second)
				kill(first/2, first%2 == 1)
				killed, err := w.rotate(nil)
				if !killed || err != nil {
					w.t.Fatalf("%s: killed %v, %v", what, killed, err)
				}
				if second >= 0 {
					time.Sleep(time.Second)
					kill(second/2, second%2 == 1)
					_, _ = w.restart()
				}
				w.cut = nil
				time.Sleep(time.Second)
				if _, err := w.restart(); err != nil {
					w.t.Errorf("%s: %v", what, err)
				}
				w.settled(what)
			})
		}
	}
}

// TestAnAnswerIsLost: AWS did what it was asked and nobody heard of it.
func TestAnAnswerIsLost(t *testing.T) {
	points := 0
	keyBubble(t, func(w *keyWorld) { _, _ = w.rotate(nil); points = len(w.points) })
	for at := range points {
		keyBubble(t, func(w *keyWorld) {
			w.listLag = 7 * time.Second
			w.cut = func(n int, what string, after bool) error {
				if n == at+1 && after && what != "store" {
					return errNet
				}
				return nil
			}
			_, err := w.rotate(nil)
			what := fmt.Sprintf("the answer %d (%s) is lost", at, w.points[at])
			if w.points[at] == "CreateAccessKey" {
				w.wantErr(err, creds.CodeNetwork, "no key was made, or it was deleted again", "mfad identity rotate corp")
			} else if err != nil {
				w.t.Errorf("%s: %v", what, err)
			}
			w.settled(what)
		})
	}
}

// TestTheKeyringFails at each write, for a moment or from then on.
func TestTheKeyringFails(t *testing.T) {
	for at := 1; at <= 4; at++ {
		for _, stored := range []bool{false, true} { // a write that fails may be stored all the same
			for _, lasting := range []bool{false, true} {
				keyBubble(t, func(w *keyWorld) {
					writes := 0
					w.cut = func(_ int, what string, after bool) error {
						if what != "store" || after != stored {
							return nil
						}
						if writes++; writes == at || lasting && writes > at {
							return errKeyring
						}
						return nil
					}
					_, err := w.rotate(nil)
					what := fmt.Sprintf("write %d fails (stored %v, lasting %v)", at, stored, lasting)
					if again := at == 2 && !lasting; (err == nil) != again {
						w.t.Errorf("%s: %v; the second alone is tried again", what, err)
					}
					w.cut = nil
					time.Sleep(time.Minute)
					if _, err := w.restart(); err != nil && !stored {
						w.t.Errorf("%s: %v", what, err)
					}
					w.settled(what)
				})
			}
		}
	}
}

// TestAPermissionIsMissing: nothing is half done, and the statement is named.
func TestAPermissionIsMissing(t *testing.T) {
	const statement = `"iam:DeleteAccessKey"],"Resource":"` + alice + `"`
	for _, action := range []string{"ListAccessKeys", "UpdateAccessKey", "CreateAccessKey", "Deactivate"} {
		t.Run(action, func(t *testing.T) {
			keyBubble(t, func(w *keyWorld) {
				w.denied[action] = true
				_, err := w.rotate(nil)
				w.wantErr(err, creds.CodeAccessDenied, "iam:"+action, statement)
				w.settled(action + " is denied")
				if i := w.stored(); i.AccessKeyID != "AKIAEXAMPLE000000000" {
					w.t.Errorf("%s is in use, want the old key", i.AccessKeyID)
				}
				if n := strings.Count(strings.Join(w.points, " "), action); n != 1 {
					w.t.Errorf("AWS refused it %d times", n)
				}
			})
		})
	}
	t.Run("DeleteAccessKey", func(t *testing.T) {
		keyBubble(t, func(w *keyWorld) {
			w.denied["DeleteAccessKey"] = true
			_, err := w.rotate(nil)
			w.wantErr(err, creds.CodeAccessDenied, "iam:DeleteAccessKey", statement)
			if i := w.stored(); i.AccessKeyID != "AKIAEXAMPLE000000001" || w.keys["AKIAEXAMPLE000000000"].active {
				w.t.Errorf("%s is in use, at AWS %v; want the new key, and the old one inactive", i.AccessKeyID, w.list())
			}
			_, err = w.rotate(func(r *rotation) { r.keepOld = true }) // the way out
			if i := w.stored(); err != nil || i.Rotation != nil || len(w.keys) != 2 {
				w.t.Errorf("kept: %v, journal %+v, %v", err, i.Rotation, w.list())
			}
		})
	})
	t.Run("all but to create and update", func(t *testing.T) {
		keyBubble(t, func(w *keyWorld) {
			w.denied["DeleteAccessKey"], w.denied["Deactivate"] = true, true
			_, err := w.rotate(nil)
			w.wantErr(err, creds.CodeAccessDenied, "iam:Deactivate", "AKIAEXAMPLE000000001 is not in use and was not deleted", statement)
			if i := w.stored(); i.AccessKeyID != "AKIAEXAMPLE000000000" || i.Rotation.Step != localapi.RotationUndoing {
				w.t.Errorf("%s is in use, %+v; want the old key, and the new one to be deleted", i.AccessKeyID, i.Rotation)
			}
			clear(w.denied)
			_, err = w.restart()
			if err != nil {
				w.t.Error(err)
			}
			w.settled("with the permissions")
		})
	})
}

func TestTheNewKeyIsNeverKnown(t *testing.T) {
	keyBubble(t, func(w *keyWorld) {
		w.propagation = time.Hour
		begun := time.Now()
		_, err := w.rotate(nil)
		w.wantErr(err, creds.CodeInvalidKey, "the key of identity corp was not replaced")
		w.settled("a key that AWS never knows")
		if took := time.Since(begun); took < time.Minute || took > 80*time.Second {
			w.t.Errorf("waited %v, want about a minute", took)
		}
	})
}

// TestTheNewKeyStopsWorking once it is in use: the old one is used again, although it
// was deactivated, and although AWS has not heard of that everywhere.
func TestTheNewKeyStopsWorking(t *testing.T) {
	stops := func(w *keyWorld) {
		w.cut = func(_ int, what string, after bool) error {
			if what == "Deactivate" && after {
				w.keys["AKIAEXAMPLE000000001"].active, w.broken = false, true
			}
			return nil
		}
	}
	for _, lag := range []time.Duration{0, 5 * time.Second, 2 * time.Minute} {
		keyBubble(t, func(w *keyWorld) {
			w.stopLag = lag
			stops(w)
			_, err := w.rotate(nil)
			w.wantErr(err, creds.CodeInvalidKey, "the key of identity corp was not replaced")
			w.settled(fmt.Sprintf("a new key that stops working (lag %v)", lag))
			if i := w.stored(); i.AccessKeyID != "AKIAEXAMPLE000000000" {
				w.t.Errorf("lag %v: %s is in use, want the old key", lag, i.AccessKeyID)
			}
		})
	}
	t.Run("the old one may not be made active", func(t *testing.T) {
		keyBubble(t, func(w *keyWorld) {
			w.stopLag = 2 * time.Minute
			stops(w)
			cut := w.cut
			w.cut = func(n int, what string, after bool) error {
				w.denied["UpdateAccessKey"] = w.denied["UpdateAccessKey"] || what == "Deactivate"
				return cut(n, what, after)
			}
			_, err := w.rotate(nil)
			w.wantErr(err, creds.CodeInvalidKey)
			if i := w.stored(); len(w.keys) != 2 || i.Rotation == nil || i.Rotation.Step != localapi.RotationSwitched {
				w.t.Errorf("at AWS %v, journal %+v; want both keys, to go on from", w.list(), i.Rotation)
			}
		})
	})
}

// TestUpdatingIsDeniedLate, when the new key is in use: the old one was not touched.
func TestUpdatingIsDeniedLate(t *testing.T) {
	keyBubble(t, func(w *keyWorld) {
		w.cut = func(_ int, what string, _ bool) error {
			if what == "CreateAccessKey" {
				w.denied["UpdateAccessKey"], w.denied["Deactivate"] = true, true
			}
			return nil
		}
		_, err := w.rotate(nil)
		w.wantErr(err, creds.CodeAccessDenied, "the key of identity corp was not replaced")
		w.settled("a permission that goes meanwhile")
		if i := w.stored(); i.AccessKeyID != "AKIAEXAMPLE000000000" {
			w.t.Errorf("%s is in use, want the old key", i.AccessKeyID)
		}
	})
}

func TestTheSessionEndsWithTheOldKey(t *testing.T) {
	for _, action := range []string{"Deactivate", "DeleteAccessKey"} {
		for _, person := range []bool{true, false} {
			keyBubble(t, func(w *keyWorld) {
				w.sessionEnds, w.person = action, person
				r := w.rotation()
				err := r.begin(w.t.Context())
				if err == nil {
					err = r.finish(w.t.Context())
				}
				if err == nil {
					err = r.checkSession(w.t.Context())
				}
				if i := w.stored(); i.AccessKeyID != "AKIAEXAMPLE000000001" {
					w.t.Errorf("%s: %s is in use", action, i.AccessKeyID)
				}
				if person {
					if err != nil || w.asked != 1 || !w.session {
						w.t.Errorf("%s: %v, %d codes asked for, session %v; want one, and a session", action, err, w.asked, w.session)
					}
				} else {
					w.wantErr(err, creds.CodeMFARequired)
					w.session, w.dropped, w.sessionEnds = true, false, "" // a login, with the new key
					if _, err := w.restart(); err != nil {
						w.t.Error(err)
					}
				}
				w.settled("the session ends with " + action)
			})
		}
	}
}

func TestAnotherKeyIsThere(t *testing.T) {
	for _, tt := range []struct {
		name           string
		active, delete bool
		code           creds.Code
		words          []string
	}{
		{"active", true, false, creds.CodeConflict, []string{"AKIAEXAMPLE999999999 (active, last used 2000-01-01 for s3 in eu-west-1)", "aws iam delete-access-key --user-name alice --access-key-id AKIAEXAMPLE999999999"}},
		{"an active one is never deleted", true, true, creds.CodeConflict, []string{"(active"}},
		{"inactive", false, false, creds.CodeConflict, []string{"(inactive", "mfad identity rotate corp --delete-inactive"}},
		{"inactive, to be deleted", false, true, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keyBubble(t, func(w *keyWorld) {
				w.keys["AKIAEXAMPLE999999999"] = &worldKey{secret: "x", active: tt.active, created: time.Now(), used: true}
				_, err := w.rotate(func(r *rotation) { r.deleteInactive = tt.delete })
				w.wantErr(err, tt.code, tt.words...)
				if tt.code == "" {
					w.settled(tt.name)
				} else if len(w.keys) != 2 || w.stored().Rotation != nil || slices.Contains(w.points, "store") {
					w.t.Errorf("did %q", w.points)
				}
			})
		})
	}
}

// TestNothingIsDeletedBeforeItIsTried: with --delete-inactive too, what can be
// refused is tried first; where that cannot be, the loss is told.
func TestNothingIsDeletedBeforeItIsTried(t *testing.T) {
	const inactive = "AKIAEXAMPLE999999999"
	for action, gone := range map[string]bool{"UpdateAccessKey": false, "CreateAccessKey": true} {
		keyBubble(t, func(w *keyWorld) {
			w.keys[inactive] = &worldKey{secret: "x", created: time.Now(), used: true}
			w.denied[action] = true
			_, err := w.rotate(func(r *rotation) { r.deleteInactive = true })
			w.wantErr(err, creds.CodeAccessDenied, "iam:"+action)
			if said := strings.Contains(fmt.Sprint(err), "the inactive key "+inactive+" is gone"); said != gone || (w.keys[inactive] == nil) != gone {
				w.t.Errorf("%s is denied: at AWS %v, and it says %q; want the inactive key gone: %v", action, w.list(), err, gone)
			}
		})
	}
}

// TestAKeyringThatWaitsForSomebody before the key is made: the moment of the journal
// is that of the call all the same.
func TestAKeyringThatWaitsForSomebody(t *testing.T) {
	keyBubble(t, func(w *keyWorld) {
		waited := false
		w.cut = func(_ int, what string, after bool) error {
			switch {
			case what == "store" && !waited && !after:
				waited = true
				time.Sleep(time.Minute)
			case what == "CreateAccessKey" && after:
				panic(crash{})
			}
			return nil
		}
		if killed, _ := w.rotate(nil); !killed || !waited {
			w.t.Fatalf("killed %v, waited %v", killed, waited)
		}
		w.cut = nil
		if _, err := w.restart(); err != nil {
			w.t.Error(err)
		}
		w.settled("a slow keyring")
	})
}

// TestALostKeyOfSomebodyElse: a key that mfad cannot tell to be its own is left,
// and named.
func TestALostKeyOfSomebodyElse(t *testing.T) {
	for name, set := range map[string]func(w *keyWorld){
		"it was used":       func(w *keyWorld) { w.keys["AKIAEXAMPLE000000001"].used = true },
		"AWS does not tell": func(w *keyWorld) { w.denied["GetAccessKeyLastUsed"] = true },
		"it was there before": func(w *keyWorld) {
			i := w.stored()
			i.Rotation.Had = append(i.Rotation.Had, "AKIAEXAMPLE000000001")
			w.store(i)
		},
		"it was made days after": func(w *keyWorld) {
			delete(w.keys, "AKIAEXAMPLE000000001")
			time.Sleep(48 * time.Hour)
			w.keys["AKIAEXAMPLE000000002"] = &worldKey{active: true, created: time.Now()}
		},
		"it was made before": func(w *keyWorld) {
			delete(w.keys, "AKIAEXAMPLE000000001")
			w.keys["AKIAEXAMPLE000000002"] = &worldKey{active: true, created: time.Now().Add(-time.Minute)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			keyBubble(t, func(w *keyWorld) {
				w.cut = func(_ int, what string, after bool) error {
					if what == "CreateAccessKey" && after {
						panic(crash{})
					}
					return nil
				}
				_, _ = w.rotate(nil)
				w.cut = nil
				set(w)
				_, err := w.restart()
				switch name {
				case "it was there before":
					w.wantErr(err, "")
				case "it was made days after", "it was made before":
					w.wantErr(err, creds.CodeConflict, "AKIAEXAMPLE000000002 (made ", "--access-key-id AKIAEXAMPLE000000002")
				default:
					w.wantErr(err, creds.CodeConflict, "AKIAEXAMPLE000000001 (", "--access-key-id AKIAEXAMPLE000000001")
				}
				if i := w.stored(); len(w.keys) != 2 || i.Rotation != nil || i.AccessKeyID != "AKIAEXAMPLE000000000" {
					w.t.Errorf("at AWS %v, stored %+v; want both keys, and no journal", w.list(), i)
				}
			})
		})
	}
}

// TestALostKeyIsNotTheOneInUse, although that one is as young.
func TestALostKeyIsNotTheOneInUse(t *testing.T) {
	keyBubble(t, func(w *keyWorld) {
		w.propagation = 0
		w.keys["AKIAEXAMPLE000000000"] = &worldKey{secret: "s0", active: true, created: time.Now()}
		w.cut = func(_ int, what string, after bool) error {
			if what == "CreateAccessKey" && after {
				panic(crash{})
			}
			return nil
		}
		_, _ = w.rotate(nil)
		w.cut = nil
		if _, err := w.restart(); err != nil {
			w.t.Error(err)
		}
		w.settled("two young keys")
	})
}
