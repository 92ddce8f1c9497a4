/* model/host_nvidia.c - NVIDIA's devices: asked of NVML, which comes with the driver and is loaded for that moment. Never a CUDA
 * context: that takes seconds, and memory on each device. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "model/host_parts.h"

#define NAME_BYTES 128
#define NVML       "libnvidia-ml.so.1"

/* NVML's own types, as its ABI has had them since its first release. */
typedef struct nvml_device nvml_device;
typedef struct nvml_memory { unsigned long long total, free, used; } nvml_memory;

typedef struct nvml {
    void *library;
    int (*init)(void), (*shutdown)(void);
    int (*driver)(char *out, unsigned room), (*cuda)(int *version);
    int (*count)(unsigned *n), (*device)(unsigned i, nvml_device **out);
    int (*name)(nvml_device *d, char *out, unsigned room), (*memory)(nvml_device *d, nvml_memory *out), (*compute)(nvml_device *d, int *major, int *minor);
} nvml;

/* ISO C keeps functions and data apart; POSIX promises that dlsym's answer may be either. */
static bool find(nvml *n, const char *name, void *function)
{
    void *found = dlsym(n->library, name);

    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static bool load(const mlr_host_roots *r, nvml *n)
{
    const char *name = r->nvml != NULL ? r->nvml : NVML;

    if (name[0] == '\0' || (n->library = dlopen(name, RTLD_LAZY | RTLD_LOCAL)) == NULL)
        return false;
    if (find(n, "nvmlInit_v2", &n->init) && find(n, "nvmlShutdown", &n->shutdown) && find(n, "nvmlSystemGetDriverVersion", &n->driver) &&
        find(n, "nvmlSystemGetCudaDriverVersion", &n->cuda) && find(n, "nvmlDeviceGetCount_v2", &n->count) &&
        find(n, "nvmlDeviceGetHandleByIndex_v2", &n->device) && find(n, "nvmlDeviceGetName", &n->name) &&
        find(n, "nvmlDeviceGetMemoryInfo", &n->memory) && find(n, "nvmlDeviceGetCudaComputeCapability", &n->compute))
        return true;
    dlclose(n->library);
    return false;
}

typedef struct versions { char driver[NAME_BYTES], cuda[32]; } versions;

static char *known(const char *text)
{
    return text[0] != '\0' ? mlr_strdup(text) : NULL;
}

/* A device that does not answer, as one that fell off the bus, is none. */
static int add_device(const nvml *n, unsigned i, const versions *v, mlr_host *h, mlreg_error **err)
{
    char name[NAME_BYTES] = "";
    int major = 0, minor = 0;
    nvml_memory memory = { 0 };
    nvml_device *d = NULL;
    mlr_accelerator a = { 0 };

    if (n->device(i, &d) != 0 || n->compute(d, &major, &minor) != 0)
        return mlr_host_note(h, err, "NVIDIA device %u does not answer", i);
    n->name(d, name, sizeof name);
    if (n->memory(d, &memory) == 0)
        a.memory_bytes = memory.total;
    a.kind = mlr_strdup("cuda");
    a.name = known(name);
    a.driver = known(v->driver);
    a.runtime = known(v->cuda);
    a.compute = mlr_asprintf("%d.%d", major, minor);
    return mlr_host_add(h, &a, err);
}

static int add_devices(const nvml *n, mlr_host *h, mlreg_error **err)
{
    versions v = { "", "" };
    unsigned count = 0;
    int cuda = 0, rc = 0;

    n->driver(v.driver, sizeof v.driver);
    if (n->cuda(&cuda) == 0 && cuda > 0)
        snprintf(v.cuda, sizeof v.cuda, "%d.%d", cuda / 1000, cuda % 1000 / 10);
    if (n->count(&count) != 0)
        count = 0;
    for (unsigned i = 0; i < count && rc == 0; i++)
        rc = add_device(n, i, &v, h, err);
    return rc;
}

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Wed …": the first word that begins with a digit and has a dot. */
static void driver_of(const char *text, char out[NAME_BYTES])
{
    size_t n = strcspn(text, "\n");

    for (const char *at = text; at < text + n; at += strspn(at, " ")) {
        size_t word = strcspn(at, " \n");

        if (*at >= '0' && *at <= '9' && memchr(at, '.', word) != NULL && word < NAME_BYTES) {
            snprintf(out, NAME_BYTES, "%.*s", (int)word, at);
            return;
        }
        at += word;
        if (*at == '\n')
            return;
    }
}

/* A driver is loaded, and still nothing can be used: say why, as far as can be told. */
static int explain(const mlr_host_roots *r, bool has_nvml, mlr_host *h, mlreg_error **err)
{
    char text[1024], driver[NAME_BYTES] = "";

    if (!mlr_host_file(r, "/proc/driver/nvidia/version", text, sizeof text))
        return has_nvml ? mlr_host_note(h, err, "NVIDIA's library is here, but its driver is not loaded") : 0;
    driver_of(text, driver);
    if (!mlr_host_there(r, "/dev/nvidiactl"))
        return mlr_host_note(h, err, "the NVIDIA driver %s is loaded, but none of its devices is here: start the container with them (--gpus all)", driver);
    if (!has_nvml)
        return mlr_host_note(h, err, "the NVIDIA driver %s is loaded, but its library " NVML " is not here: mount it into the container, or install it", driver);
    return mlr_host_note(h, err, "the NVIDIA driver %s is loaded, but it offers no device", driver);
}

int mlr_host_nvidia(const mlr_host_roots *r, mlr_host *h, mlreg_error **err)
{
    size_t before = h->n;
    nvml n = { 0 };
    bool has_nvml = load(r, &n);
    int rc = 0;

    if (has_nvml && n.init() == 0) {
        rc = add_devices(&n, h, err);
        n.shutdown();
    }
    if (has_nvml)
        dlclose(n.library);
    return rc == 0 && h->n == before ? explain(r, has_nvml, h, err) : rc;
}
