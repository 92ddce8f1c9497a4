/* tests/net/test_mirrors_files.c - which files of registries.conf count, and that a broken one is never taken for none. */
#include "net/mirrors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "bed/fs_fault.h"
#include "net/creds_bed.h"

#define HOST "only-in-this-test.example"     /* of which the machine's own files say nothing */
#define CONF(mirror) "[[registry]]\nlocation = '" HOST "'\n[[registry.mirror]]\nlocation = '" mirror "'\n"

static creds_bed bed;

static int setup(void **state)
{
    (void)state;
    creds_bed_make(&bed);
    unsetenv("CONTAINERS_REGISTRIES_CONF");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_fs_use(NULL, NULL);
    unsetenv("CONTAINERS_REGISTRIES_CONF");
    creds_bed_remove(&bed);
    return 0;
}

static void name_it(const char *variable, const char *file)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", bed.dir, file);
    setenv(variable, path, 1);
}

/* The first place named for HOST/r, or "" if there is none. */
static void assert_first(const char *expected)
{
    mlr_mirrors *m = NULL;
    mlr_sources  s = {NULL, 0};

    assert_int_equal(mlr_mirrors_open(&m, NULL), 0);
    if (m != NULL)
        assert_int_equal(mlr_mirrors_choose(m, HOST, "r", "", &s, NULL), 0);
    assert_string_equal(s.n > 0 ? s.items[0].url : "", expected);
    mlr_sources_done(&s);
    mlr_mirrors_free(m);
}

static void assert_fails(int rc, const char *says)
{
    mlr_mirrors *m = NULL;
    mlreg_error *err = NULL;

    assert_int_equal(mlr_mirrors_open(&m, &err), rc);
    assert_null(m);
    assert_non_null(strstr(err->message, says));
    mlr_error_done(err);
}

static void test_mirrors_files__where_nothing_is_there_nothing_is_said(void **state)
{
    (void)state;
    assert_first("");
    setenv("HOME", "/dev/null", 1);
    assert_first("");
    unsetenv("HOME");
    assert_first("");
}

static void test_mirrors_files__the_variable_goes_before_the_users_file(void **state)
{
    (void)state;
    creds_bed_write(&bed, "home/.config/containers/registries.conf", CONF("home"));
    assert_first("https://home");
    creds_bed_write(&bed, "xdg/containers/registries.conf", CONF("xdg"));
    name_it("XDG_CONFIG_HOME", "xdg");
    assert_first("https://xdg");
    creds_bed_write(&bed, "named", CONF("named"));
    name_it("CONTAINERS_REGISTRIES_CONF", "named");
    assert_first("https://named");
    setenv("CONTAINERS_REGISTRIES_CONF", "/dev/null", 1);
    assert_first("");
}

static void test_mirrors_files__drop_ins_go_over_it_in_order_of_their_names(void **state)
{
    (void)state;
    creds_bed_write(&bed, "home/.config/containers/registries.conf", CONF("main"));
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/10.conf", CONF("ten"));
    assert_first("https://ten");
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/9.conf", CONF("nine"));
    assert_first("https://nine");
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/99.confidential", CONF("no"));
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/.conf", CONF("no"));
    assert_first("https://nine");
}

static void test_mirrors_files__a_broken_one_is_never_taken_for_none(void **state)
{
    (void)state;
    creds_bed_write(&bed, "home/.config/containers/registries.conf", "[[registry]]\nlocation = \n");
    assert_fails(MLREG_EPROTO, "/home/.config/containers/registries.conf, line 2: ");
    creds_bed_write(&bed, "home/.config/containers/registries.conf", "");
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/a.conf", "[[registry]]\n");
    assert_fails(MLREG_EPROTO, "/registries.conf.d/a.conf, line 1: ");
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/a.conf", "");
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/b.conf/c", "");
    assert_fails(MLREG_EPROTO, "/registries.conf.d/b.conf: no plain file");
    name_it("CONTAINERS_REGISTRIES_CONF", "missing");
    assert_fails(MLREG_EPROTO, "/missing, which $CONTAINERS_REGISTRIES_CONF names, is not there");
}

/* The n-th call on files fails, or all from it on do: each time that is what the caller hears. */
static void assert_failures_are_told(bool for_good)
{
    int fired = 1;

    for (int n = 1; fired > 0; n++) {
        mlr_mirrors *m = NULL;
        int          rc;

        fs_fault_arm(n, for_good, EIO);
        rc = mlr_mirrors_open(&m, NULL);
        fired = fs_fault_disarm();
        assert_true(fired > 0 ? rc == MLREG_EIO : rc == 0);
        mlr_mirrors_free(m);
    }
}

static void test_mirrors_files__a_disk_that_does_not_answer_is_no_missing_file(void **state)
{
    (void)state;
    creds_bed_write(&bed, "home/.config/containers/registries.conf", CONF("main"));
    creds_bed_write(&bed, "home/.config/containers/registries.conf.d/10.conf", CONF("ten"));
    assert_failures_are_told(false);
}

/* Not even whether it is there: it may forbid something. Nothing is kept of what was read of it (a sanitizer sees that). */
static void test_mirrors_files__a_disk_that_is_gone_is_no_file_that_is_missing(void **state)
{
    (void)state;
    creds_bed_write(&bed, "home/.config/containers/registries.conf", CONF("main"));
    assert_failures_are_told(true);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_mirrors_files__##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(where_nothing_is_there_nothing_is_said),
        TEST(the_variable_goes_before_the_users_file),
        TEST(drop_ins_go_over_it_in_order_of_their_names),
        TEST(a_broken_one_is_never_taken_for_none),
        TEST(a_disk_that_does_not_answer_is_no_missing_file),
        TEST(a_disk_that_is_gone_is_no_file_that_is_missing),
    };
#undef TEST

    return cmocka_run_group_tests_name("mirrors_files", tests, NULL, NULL);
}
