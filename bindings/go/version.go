// version.go - which library is loaded, and whether it will do.

package mlreg

/*
#include "bridge.h"
*/
import "C"

import "fmt"

// Version gives the version of the loaded library, such as "0.1.0".
func Version() string { return dotted(uint32(C.mlreg_version())) }

func dotted(v uint32) string { return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&0xff, v&0xff) }

// checkLibrary stands at every door that makes the first handle.
func checkLibrary() error { return checkVersion(uint32(C.mlreg_version())) }

func checkVersion(loaded uint32) error {
	if loaded >= C.MLREG_GO_OLDEST {
		return nil
	}
	return &Error{
		Code:    ErrNotSupported,
		Message: fmt.Sprintf("the loaded libmlreg is %s, and this program needs %s or newer", dotted(loaded), dotted(C.MLREG_GO_OLDEST)),
		Hint:    "install that one, or let LD_LIBRARY_PATH name its directory",
	}
}
