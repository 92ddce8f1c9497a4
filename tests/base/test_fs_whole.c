/* tests/base/test_fs_whole.c - whole files: read within a bound, cloned byte for byte. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "bed/dir.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"

static int set_up(void **state)
{
    *state = bed_dir_new();
    return 0;
}

static int tear_down(void **state)
{
    mlr_fs_use(NULL, NULL);
    bed_dir_remove(*state);
    return 0;
}

/* ---- reading ---- */

static void test_read_file__gives_all_bytes(void **state)
{
    const char *path = bed_at(*state, "f");
    mlr_buf     b = MLR_BUF_INIT(100);

    bed_write(path, "weights");
    assert_int_equal(mlr_fs_read_file(path, &b, NULL), 0);
    assert_int_equal(b.len, 7);
    assert_string_equal(b.data, "weights");
    mlr_buf_done(&b);
}

static void test_read_file__an_empty_file_is_an_empty_string(void **state)
{
    mlr_buf b = MLR_BUF_INIT(0);

    bed_write(bed_at(*state, "f"), "");
    assert_int_equal(mlr_fs_read_file(bed_at(*state, "f"), &b, NULL), 0);
    assert_string_equal(b.data, "");
    mlr_buf_done(&b);
}

static void test_read_file__a_file_at_the_bound_is_read(void **state)
{
    mlr_buf      b = MLR_BUF_INIT(10);
    mlreg_error *e = NULL;

    bed_write(bed_at(*state, "f"), "0123456789");
    assert_int_equal(mlr_fs_read_file(bed_at(*state, "f"), &b, NULL), 0);
    assert_string_equal(b.data, "0123456789");
    mlr_buf_clear(&b);
    bed_write(bed_at(*state, "f"), "0123456789x");
    assert_int_equal(mlr_fs_read_file(bed_at(*state, "f"), &b, &e), MLREG_ELIMIT);
    assert_non_null(strstr(e->message, "10"));
    assert_string_equal(e->subject, bed_at(*state, "f"));
    assert_int_equal(b.len, 0);
    mlr_error_done(e);
    mlr_buf_done(&b);
}

static void test_read_file__a_file_that_hides_its_size_is_bounded_too(void **state)
{
    mlr_buf b = MLR_BUF_INIT(65536), small = MLR_BUF_INIT(4);

    (void)state;
    assert_int_equal(mlr_fs_read_file("/proc/self/status", &b, NULL), 0);
    assert_memory_equal(b.data, "Name:", 5);
    assert_int_equal(mlr_buf_puts(&small, "ab", NULL), 0);
    assert_int_equal(mlr_fs_read_file("/proc/self/status", &small, NULL), MLREG_ELIMIT);
    assert_string_equal(small.data, "ab");               /* as before */
    mlr_buf_done(&small);
    mlr_buf_done(&b);
}

static void test_read_file__refuses_what_could_hang_it(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char        *cases[4] = {bed_at(*state, "fifo"), "/dev/zero", *state, bed_at(*state, "socket")};
    int                s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), open_before;

    assert_int_equal(mkfifo(cases[0], 0600), 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", cases[3]);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    open_before = bed_open_files();
    for (int i = 0; i < 4; i++) {
        mlr_buf      b = MLR_BUF_INIT(100);
        mlreg_error *e = NULL;

        assert_int_equal(mlr_fs_read_file(cases[i], &b, &e), MLREG_EINVAL);
        assert_non_null(strstr(e->message, "not a regular file"));
        mlr_error_done(e);
        mlr_buf_done(&b);
    }
    assert_int_equal(bed_open_files(), open_before);
    close(s);
}

static void test_read_file__whatever_fails_the_buffer_is_as_before(void **state)
{
    const char *path = bed_at(*state, "f");

    bed_write(path, "weights");
    for (int n = 1, fired = 1; fired; n++) {
        mlr_buf b = MLR_BUF_INIT(100);
        int     rc;

        mlr_buf_puts(&b, "before-", NULL);
        fs_fault_arm(n, 0, EIO);
        rc = mlr_fs_read_file(path, &b, NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        assert_string_equal(b.data, fired ? "before-" : "before-weights");
        mlr_buf_done(&b);
    }
}

/* ---- cloning ---- */

#define CLONE_BYTES (3 * (1 << 20) + 17)

/* The first `unsupported` ways of copying are refused: reflink, then copy_file_range. */
static int refuse_ways(mlr_fs_call call, const char *name, void *user)
{
    int *unsupported = user;

    (void)name;
    return call == MLR_FS_WRITE && (*unsupported)-- > 0 ? EOPNOTSUPP : 0;
}

static void make_pair(const char *dir, size_t bytes, int *from, int *to)
{
    char *block = malloc(bytes + 1);

    assert_non_null(block);
    for (size_t i = 0; i < bytes; i++)
        block[i] = (char)(i * 31 + i / 4096);
    *from = open(bed_at(dir, "from"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    *to = open(bed_at(dir, "to"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(mlr_fs_write_at(*from, 0, block, bytes, "from", NULL), 0);
    free(block);
}

static void assert_same(int a, int b, size_t bytes)
{
    char  *x = malloc(bytes + 1), *y = malloc(bytes + 1);

    assert_int_equal(mlr_fs_read_at(a, 0, x, bytes + 1, "a", NULL), bytes);
    assert_int_equal(mlr_fs_read_at(b, 0, y, bytes + 1, "b", NULL), bytes);
    assert_memory_equal(x, y, bytes);
    free(x);
    free(y);
}

static void test_clone__every_way_gives_the_same_bytes(void **state)
{
    for (int refused = 0; refused <= 2; refused++)
        for (size_t i = 0; i < 3; i++) {
            static const size_t sizes[] = {0, 1, CLONE_BYTES};
            int                 from, to, unsupported = refused;

            make_pair(*state, sizes[i], &from, &to);
            mlr_fs_use(refuse_ways, &unsupported);
            assert_int_equal(mlr_fs_clone(from, to, sizes[i], "from", NULL), 0);
            mlr_fs_use(NULL, NULL);
            assert_same(from, to, sizes[i]);
            close(from);
            close(to);
        }
}

static void test_clone__a_source_of_another_size_is_an_error(void **state)
{
    for (int refused = 0; refused <= 2; refused++)
        for (int delta = -1; delta <= 1; delta += 2) {
            mlreg_error *e = NULL;
            int          from, to, unsupported = refused;

            make_pair(*state, 5000, &from, &to);
            mlr_fs_use(refuse_ways, &unsupported);
            assert_int_equal(mlr_fs_clone(from, to, (uint64_t)(5000 + delta), "from", &e), MLREG_EIO);
            mlr_fs_use(NULL, NULL);
            assert_string_equal(e->message, "from changed while it was copied");
            mlr_error_done(e);
            close(from);
            close(to);
        }
}

static void test_clone__a_failure_is_reported_and_not_worked_around(void **state)
{
    for (int n = 1, fired = 1; fired; n++) {
        int from, to, rc;

        make_pair(*state, 5000, &from, &to);
        fs_fault_arm(n, 0, EIO);
        rc = mlr_fs_clone(from, to, 5000, "from", NULL);
        fired = fs_fault_disarm();
        assert_int_equal(rc, fired ? MLREG_EIO : 0);
        close(from);
        close(to);
    }
}

int main(void)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        IN_DIR(test_read_file__gives_all_bytes),
        IN_DIR(test_read_file__an_empty_file_is_an_empty_string),
        IN_DIR(test_read_file__a_file_at_the_bound_is_read),
        IN_DIR(test_read_file__a_file_that_hides_its_size_is_bounded_too),
        IN_DIR(test_read_file__refuses_what_could_hang_it),
        IN_DIR(test_read_file__whatever_fails_the_buffer_is_as_before),
        IN_DIR(test_clone__every_way_gives_the_same_bytes),
        IN_DIR(test_clone__a_source_of_another_size_is_an_error),
        IN_DIR(test_clone__a_failure_is_reported_and_not_worked_around),
    };
    return cmocka_run_group_tests_name("base/fs_whole", tests, NULL, NULL);
}
