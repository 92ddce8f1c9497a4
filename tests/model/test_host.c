/* tests/model/test_host.c - machines as they are found in /proc, /sys and by a driver's library, and as they are told in JSON. */
#include "model/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/fs.h"
#include "bed/dir.h"

#define ZEN4 "processor\t: 0\nflags\t\t: fpu cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave avx512f avx512bw avx512cd " \
    "avx512dq avx512vl\n\nprocessor\t: 1\nflags\t\t: fpu\n"
#define OLD  "processor\t: 0\nflags\t\t: fpu sse sse2\n"
#define ARM  "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd sve bf16\n"

typedef struct fixture { char *dir; mlr_host_roots roots; mlr_host host; } fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    f->dir = bed_dir_new();
    f->roots = (mlr_host_roots){ .top = f->dir, .machine = "x86_64", .nvml = "" };
    unsetenv("FAKE_NVML");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    mlr_host_done(&f->host);
    bed_dir_remove(f->dir);
    free(f);
    return 0;
}

static void put(fixture *f, const char *path, const char *text)
{
    char whole[1024], *slash;

    snprintf(whole, sizeof whole, "%s%s", f->dir, path);
    slash = strrchr(whole, '/');
    *slash = '\0';
    assert_int_equal(mlr_fs_mkdirs(whole, 0755, NULL), 0);
    *slash = '/';
    bed_write(whole, text);
}

static const mlr_host *look(fixture *f)
{
    mlreg_error *err = NULL;

    mlr_host_done(&f->host);
    if (mlr_host_find(&f->roots, &f->host, &err) < 0)
        fail_msg("%s", mlreg_error_message(err));
    return &f->host;
}

static bool notes(const mlr_host *h, const char *text)
{
    for (size_t i = 0; i < h->n_notes; i++)
        if (strstr(h->notes[i], text) != NULL)
            return true;
    return false;
}

/* ---- processors and memory ---- */

static void test_host__takes_the_level_from_the_features_of_the_first_processor(void **state)
{
    fixture *f = *state;

    put(f, "/proc/cpuinfo", ZEN4);
    assert_string_equal(look(f)->arch, "amd64");
    assert_string_equal(f->host.arch_variant, "v4");
    assert_non_null(strstr(f->host.cpu, "avx512vl"));
    put(f, "/proc/cpuinfo", OLD);
    assert_string_equal(look(f)->arch_variant, "v1");
    f->roots.machine = "aarch64";
    put(f, "/proc/cpuinfo", ARM);
    assert_string_equal(look(f)->arch, "arm64");
    assert_string_equal(f->host.arch_variant, "v8");
    assert_string_equal(f->host.cpu, "fp asimd sve bf16");
}

static void test_host__without_proc_knows_the_architecture_alone(void **state)
{
    fixture *f = *state;

    assert_string_equal(look(f)->arch, "amd64");
    assert_null(f->host.arch_variant);
    assert_string_equal(f->host.cpu, "");
    assert_int_equal(f->host.memory_bytes, 0);
    assert_int_equal(f->host.n, 0);
    assert_int_equal(f->host.n_notes, 0);
}

static void test_host__memory_is_what_the_control_groups_leave(void **state)
{
    fixture *f = *state;

    put(f, "/proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\n");
    assert_int_equal(look(f)->memory_bytes, 16384u << 10);
    put(f, "/proc/self/cgroup", "0::/pod/container\n");
    put(f, "/sys/fs/cgroup/pod/container/memory.max", "max\n");
    assert_int_equal(look(f)->memory_bytes, 16384u << 10);
    put(f, "/sys/fs/cgroup/pod/memory.max", "1000000\n"); /* the group around it */
    assert_int_equal(look(f)->memory_bytes, 1000000);
    put(f, "/proc/self/cgroup", "4:memory:/docker/x\n1:name=systemd:/x\n"); /* version 1, seen from inside */
    put(f, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
    assert_int_equal(look(f)->memory_bytes, 2000000);
    put(f, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(look(f)->memory_bytes, 16384u << 10);
}

/* ---- NVIDIA ---- */

static void test_host__asks_the_driver_s_library_for_devices(void **state)
{
    fixture *f = *state;

    f->roots.nvml = getenv("MLREG_TEST_NVML");
    assert_non_null(f->roots.nvml);
    setenv("FAKE_NVML", "2", 1);
    assert_int_equal(look(f)->n, 2);
    assert_string_equal(f->host.accelerators[1].kind, "cuda");
    assert_string_equal(f->host.accelerators[1].compute, "9.0");
    assert_string_equal(f->host.accelerators[1].driver, "550.54.15");
    assert_string_equal(f->host.accelerators[1].runtime, "12.4");
    assert_string_equal(f->host.accelerators[1].name, "NVIDIA H100 80GB HBM3");
    assert_true(f->host.accelerators[1].memory_bytes == 85520809984ull);
    setenv("FAKE_NVML", "broken", 1);
    assert_int_equal(look(f)->n, 1);
    assert_true(notes(&f->host, "device 0 does not answer"));
}

static void test_host__a_driver_without_devices_is_explained(void **state)
{
    fixture *f = *state;
    const char *library = getenv("MLREG_TEST_NVML");

    put(f, "/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\nGCC version: 12\n");
    look(f);
    assert_true(notes(&f->host, "535.183.01 is loaded, but none of its devices is here"));
    put(f, "/dev/nvidiactl", "");
    look(f);
    assert_true(notes(&f->host, "its library"));
    f->roots.nvml = library;
    setenv("FAKE_NVML", "0", 1);
    look(f);
    assert_int_equal(f->host.n, 0);
    assert_true(notes(&f->host, "offers no device"));
}

static void test_host__a_library_without_its_driver_is_explained(void **state)
{
    fixture *f = *state;

    f->roots.nvml = getenv("MLREG_TEST_NVML");
    look(f);
    assert_int_equal(f->host.n, 0);
    assert_true(notes(&f->host, "driver is not loaded"));
}

/* ---- AMD ---- */

#define NODES "/sys/class/kfd/kfd/topology/nodes/"

static void put_amd(fixture *f)
{
    put(f, NODES "0/properties", "cpu_cores_count 64\nsimd_count 0\ngfx_target_version 0\n");
    put(f, NODES "1/properties", "cpu_cores_count 0\nsimd_count 304\ngfx_target_version 90402\n");
    put(f, NODES "1/name", "ip discovery\n");
    put(f, NODES "1/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 206141652992\n");
    put(f, NODES "2/properties", "simd_count 96\ngfx_target_version 90010\n");
    put(f, "/sys/module/amdgpu/version", "6.7.0\n");
}

static void test_host__reads_amd_s_topology(void **state)
{
    fixture *f = *state;

    put_amd(f);
    put(f, "/dev/kfd", "");
    assert_int_equal(look(f)->n, 2);
    assert_string_equal(f->host.accelerators[0].kind, "rocm");
    assert_string_equal(f->host.accelerators[0].compute, "gfx942");
    assert_string_equal(f->host.accelerators[0].driver, "6.7.0");
    assert_true(f->host.accelerators[0].memory_bytes == 206141652992ull);
    assert_string_equal(f->host.accelerators[1].compute, "gfx90a");
}

static void test_host__amd_s_devices_without_kfd_are_explained(void **state)
{
    fixture *f = *state;

    put_amd(f);
    assert_int_equal(look(f)->n, 0);
    assert_true(notes(&f->host, "--device /dev/kfd"));
    bed_dir_remove(f->dir);
    f->dir = bed_dir_new();
    f->roots.top = f->dir;
    put(f, "/dev/kfd", "");
    look(f);
    assert_true(notes(&f->host, "offers no device"));
}

/* ---- JSON ---- */

static void test_host__what_is_written_is_read_again(void **state)
{
    fixture *f = *state;
    mlr_buf first = MLR_BUF_INIT(MLR_HOST_JSON_MAX_BYTES), second = MLR_BUF_INIT(MLR_HOST_JSON_MAX_BYTES);
    mlr_host again = { 0 };

    put(f, "/proc/cpuinfo", ZEN4);
    put_amd(f);
    put(f, "/dev/kfd", "");
    look(f);
    assert_int_equal(mlr_host_write(&f->host, &first, NULL), 0);
    assert_int_equal(mlr_host_read(first.data, &again, NULL), 0);
    assert_int_equal(mlr_host_write(&again, &second, NULL), 0);
    assert_string_equal(first.data, second.data);
    mlr_host_done(&again);
    mlr_buf_done(&first);
    mlr_buf_done(&second);
}

static void test_host__a_malformed_description_is_one_clear_error(void **state)
{
    static const char *const bad[] = { "", "[]", "{", "{}", "{\"architecture\":7}", "{\"architecture\":\"amd64\",\"memory_bytes\":\"much\"}",
        "{\"architecture\":\"amd64\",\"memory_bytes\":-1}", "{\"architecture\":\"amd64\",\"cpu_features\":\"avx2\"}", "{\"architecture\":\"amd64\",\"cpu_features\":[1]}",
        "{\"architecture\":\"amd64\",\"accelerators\":{}}", "{\"architecture\":\"amd64\",\"accelerators\":[{}]}",
        "{\"architecture\":\"amd64\",\"accelerators\":[{\"kind\":\"cuda\",\"compute\":9}]}", "{\"architecture\":\"amd64\",\"architecture\":\"arm64\"}" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mlr_host h = { 0 };
        mlreg_error *err = NULL;

        if (mlr_host_read(bad[i], &h, &err) != MLREG_EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_non_null(strstr(err->hint, "mlreg host"));
        assert_null(h.arch);
        mlr_error_done(err);
    }
}

static void test_host__a_description_may_say_little_and_more_than_is_known(void **state)
{
    mlr_host h = { 0 };

    (void)state;
    assert_int_equal(mlr_host_read("{\"architecture\":\"arm64\",\"rack\":{\"row\":3},\"variant\":null}", &h, NULL), 0);
    assert_string_equal(h.os, "linux");
    assert_string_equal(h.cpu, "");
    assert_null(h.arch_variant);
    mlr_host_done(&h);
}

static void test_host__this_machine_is_looked_at_once(void **state)
{
    const mlr_host *a = NULL, *b = NULL;
    const char *json = NULL;

    (void)state;
    assert_int_equal(mlr_host_this(&a, &json, NULL), 0);
    assert_int_equal(mlr_host_this(&b, NULL, NULL), 0);
    assert_ptr_equal(a, b);
    assert_true(a->memory_bytes > 0);
    assert_non_null(strstr(json, a->arch));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_host__takes_the_level_from_the_features_of_the_first_processor),
        T(test_host__without_proc_knows_the_architecture_alone),
        T(test_host__memory_is_what_the_control_groups_leave),
        T(test_host__asks_the_driver_s_library_for_devices),
        T(test_host__a_driver_without_devices_is_explained),
        T(test_host__a_library_without_its_driver_is_explained),
        T(test_host__reads_amd_s_topology),
        T(test_host__amd_s_devices_without_kfd_are_explained),
        T(test_host__what_is_written_is_read_again),
        T(test_host__a_malformed_description_is_one_clear_error),
        T(test_host__a_description_may_say_little_and_more_than_is_known),
        T(test_host__this_machine_is_looked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
