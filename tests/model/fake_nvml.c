/* model/fake_nvml.c - stands in for the library that comes with NVIDIA's driver. FAKE_NVML says how many devices it has, "broken" that one
 * of two does not answer, "unloaded" that the driver is not there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { OK = 0, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };
typedef struct { unsigned long long total, free, used; } memory;

static const char *mode(void)
{
    const char *text = getenv("FAKE_NVML");

    return text != NULL ? text : "unloaded";
}

EXPORT int nvmlInit_v2(void);
EXPORT int nvmlShutdown(void);
EXPORT int nvmlSystemGetDriverVersion(char *out, unsigned room);
EXPORT int nvmlSystemGetCudaDriverVersion(int *version);
EXPORT int nvmlDeviceGetCount_v2(unsigned *n);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **out);
EXPORT int nvmlDeviceGetName(void *d, char *out, unsigned room);
EXPORT int nvmlDeviceGetMemoryInfo(void *d, memory *out);
EXPORT int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor);

int nvmlInit_v2(void) { return strcmp(mode(), "unloaded") == 0 ? DRIVER_NOT_LOADED : OK; }
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *out, unsigned room) { snprintf(out, room, "550.54.15"); return OK; }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 12040; return OK; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = strcmp(mode(), "broken") == 0 ? 2 : (unsigned)atoi(mode()); return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **out)
{
    static int devices[8];

    if (strcmp(mode(), "broken") == 0 && i == 0)
        return GPU_IS_LOST;
    devices[i] = (int)i;
    *out = &devices[i];
    return OK;
}
int nvmlDeviceGetName(void *d, char *out, unsigned room) { (void)d; snprintf(out, room, "NVIDIA H100 80GB HBM3"); return OK; }
int nvmlDeviceGetMemoryInfo(void *d, memory *out) { (void)d; *out = (memory){ 85520809984ull, 85000000000ull, 520809984ull }; return OK; }
int nvmlDeviceGetCudaComputeCapability(void *d, int *major, int *minor) { (void)d; *major = 9; *minor = 0; return OK; }
