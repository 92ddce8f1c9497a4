/* api/version.c - which library this is. */
#include <mlreg.h>

uint32_t mlreg_version(void)
{
    return MLREG_VERSION;
}
