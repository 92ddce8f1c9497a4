/* tests/net/test_creds_store.c - login and logout: what docker can read, and a file that survives everything. */
#include "net/creds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/work.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"
#include "net/creds_bed.h"

#define CONFIG "home/.docker/config.json"
#define OLD    "{ \"auths\": { \"b.io\": {\"auth\": \"Ym9iOmE6Yjpj\"} }, \"HttpHeaders\": {\"X\": \"y\"} }\n"
#define NEW    "{ \"auths\": {\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"YW5uOmh1bnRlcjI=\"\n\t\t}," \
               " \"b.io\": {\"auth\": \"Ym9iOmE6Yjpj\"} }, \"HttpHeaders\": {\"X\": \"y\"} }\n"

static creds_bed bed;

static int setup(void **state)
{
    (void)state;
    creds_bed_make(&bed);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_fs_use(NULL, NULL);
    creds_bed_remove(&bed);
    return 0;
}

static void assert_file(const char *name, const char *text)
{
    char *found = creds_bed_read(&bed, name);

    assert_non_null(found);
    assert_string_equal(found, text);
    free(found);
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    char       *path = bed_path(bed.dir, name);

    assert_int_equal(lstat(path, &st), 0);
    free(path);
    return st.st_mode & 07777u;
}

static int entries_of(const char *name)
{
    char *path = bed_path(bed.dir, name);
    DIR  *d = opendir(path);
    int   n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    free(path);
    return n - 2;
}

/* What a refusal must look like whatever its reason. */
static void assert_refused(int code, mlreg_error **err)
{
    char *where = NULL;

    assert_int_equal(mlr_creds_store("a.io", "ann", "hunter2", NULL, &where, err), code);
    assert_int_equal((*err)->code, code);
    assert_null(where);
    assert_null(strstr((*err)->message, "hunter2"));
    assert_null(strstr((*err)->message, "aHVudGVy"));
    assert_null(strstr((*err)->message, "YW5uOmh1bnRlcjI"));
}

static void test_creds_store__a_first_login_makes_the_file_for_its_owner_alone(void **state)
{
    char     *where = NULL;
    mlr_creds c;

    (void)state;
    assert_int_equal(mlr_creds_store("a.io", "ann", "hunter2", NULL, &where, NULL), 0);
    char *path = bed_path(bed.dir, CONFIG);
    assert_string_equal(where, path);
    assert_file(CONFIG, "{\n\t\"auths\": {\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"YW5uOmh1bnRlcjI=\"\n\t\t}\n\t}\n}\n");
    assert_int_equal(mode_of(CONFIG), 0600);
    assert_int_equal(mode_of("home/.docker"), 0700);
    assert_int_equal(entries_of("home/.docker"), 1);
    assert_int_equal(entries_of("home"), 1);
    assert_int_equal(mlr_creds_find("a.io", "", NULL, NULL, NULL, NULL, &c, NULL), 0);
    assert_string_equal(c.name, "ann");
    assert_string_equal(c.secret, "hunter2");
    mlr_creds_done(&c);
    mlr_free(where);
    free(path);
}

static void test_creds_store__everything_else_in_the_file_stays(void **state)
{
    (void)state;
    creds_bed_write_bytes(&bed, CONFIG, OLD, strlen(OLD), 0644);
    assert_int_equal(mlr_creds_store("a.io", "ann", "hunter2", NULL, NULL, NULL), 0);
    assert_file(CONFIG, NEW);
    assert_int_equal(mode_of(CONFIG), 0600);
}

/* As under sudo -E: whose file it was must be able to read it. */
static void test_creds_store__the_file_stays_with_its_owner(void **state)
{
    char       *path = bed_path(bed.dir, CONFIG);
    struct stat st;

    (void)state;
    if (geteuid() != 0) {
        free(path);
        skip();
    }
    creds_bed_write(&bed, CONFIG, OLD);
    assert_int_equal(chown(path, 1234, 4321), 0);
    assert_int_equal(mlr_creds_store("a.io", "ann", "hunter2", NULL, NULL, NULL), 0);
    assert_int_equal(mlr_creds_erase("a.io", NULL, NULL, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 1234);
    assert_int_equal(st.st_gid, 4321);
    assert_int_equal(st.st_mode & 07777u, 0600);
    free(path);
}

static void test_creds_store__the_hub_is_kept_under_dockers_name(void **state)
{
    (void)state;
    setenv("DOCKER_CONFIG", bed.dir, 1);
    assert_int_equal(mlr_creds_store("docker.io", "ann", "hunter2", NULL, NULL, NULL), 0);
    assert_file("config.json", "{\n\t\"auths\": {\n\t\t\"https://index.docker.io/v1/\": {\n"
                               "\t\t\t\"auth\": \"YW5uOmh1bnRlcjI=\"\n\t\t}\n\t}\n}\n");
}

static void test_creds_store__a_link_stays_and_its_target_changes(void **state)
{
    char *link = bed_path(bed.dir, CONFIG);

    (void)state;
    creds_bed_write(&bed, "home/dotfiles/docker.json", OLD);
    creds_bed_write(&bed, CONFIG, "");
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("../dotfiles/docker.json", link), 0);
    assert_int_equal(mlr_creds_store("a.io", "ann", "hunter2", NULL, NULL, NULL), 0);
    assert_file("home/dotfiles/docker.json", NEW);
    assert_int_equal(mode_of("home/dotfiles/docker.json"), 0600);
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("../new/docker.json", link), 0);       /* to what is not there yet */
    assert_int_equal(mlr_creds_store("a.io", "ann", "hunter2", NULL, NULL, NULL), 0);
    assert_int_equal(mode_of("home/new/docker.json"), 0600);
    free(link);
}

static void test_creds_store__a_read_only_file_is_left_alone(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write_bytes(&bed, CONFIG, OLD, strlen(OLD), 0444);
    assert_refused(MLREG_EDENIED, &e);
    assert_non_null(strstr(e->message, "is read-only (mode 0444)"));
    assert_non_null(strstr(e->hint, "DOCKER_CONFIG"));
    assert_file(CONFIG, OLD);
    assert_int_equal(mode_of(CONFIG), 0444);
    mlr_error_done(e);
    e = NULL;
    assert_int_equal(mlr_creds_erase("b.io", NULL, NULL, &e), MLREG_EDENIED);
    assert_file(CONFIG, OLD);
    mlr_error_done(e);
}

static void test_creds_store__a_read_only_file_system_is_an_error_with_a_hint(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write(&bed, CONFIG, OLD);
    fs_fault_arm_only(MLR_FS_RENAME, 1, 1, EROFS);
    assert_refused(MLREG_EDENIED, &e);
    fs_fault_disarm();
    assert_non_null(e->hint);
    assert_file(CONFIG, OLD);
    mlr_error_done(e);
}

static void test_creds_store__the_old_file_or_the_new_one_stands_whatever_fails(void **state)
{
    (void)state;
    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            creds_bed_write(&bed, CONFIG, OLD);
            fs_fault_arm(n, for_good, EIO);
            int rc = mlr_creds_store("a.io", "ann", "hunter2", NULL, NULL, NULL);
            fired = fs_fault_disarm();
            char *text = creds_bed_read(&bed, CONFIG);
            assert_true(strcmp(text, NEW) == 0 || (rc < 0 && strcmp(text, OLD) == 0));
            assert_true(fired || rc == 0);
            assert_int_equal(entries_of("home/.docker"), 1);
            free(text);
        }
}

static void test_creds_store__want_of_memory_changes_nothing(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    for (int n = 1; fired; n++) {
        creds_bed_write(&bed, CONFIG, OLD);
        failing_alloc_arm(&f, n, false);
        int rc = mlr_creds_store("a.io", "ann", "hunter2", NULL, NULL, NULL);
        fired = failing_alloc_disarm(&f);
        assert_true(rc == 0 || (fired && rc == MLREG_ENOMEM));
        assert_file(CONFIG, rc == 0 ? NEW : OLD);
    }
}

static void test_creds_store__a_broken_file_is_left_for_its_owner_to_mend(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write(&bed, CONFIG, "{\"auths\":{}");
    assert_refused(MLREG_EPROTO, &e);
    assert_file(CONFIG, "{\"auths\":{}");
    mlr_error_done(e);
}

static void test_creds_store__a_file_that_may_not_be_read_is_not_replaced(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write(&bed, CONFIG, OLD);
    fs_fault_arm_only(MLR_FS_OPEN, 1, 1, EACCES);
    assert_refused(MLREG_EDENIED, &e);
    fs_fault_disarm();
    assert_file(CONFIG, OLD);
    mlr_error_done(e);
}

static void test_creds_store__without_home_there_is_no_place(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    unsetenv("HOME");
    assert_refused(MLREG_EDENIED, &e);
    assert_string_equal(e->hint, "set DOCKER_CONFIG to a directory of your own");
    assert_int_equal(mlr_creds_erase("a.io", NULL, NULL, NULL), MLREG_EDENIED);
    mlr_error_done(e);
}

static void test_creds_store__what_cannot_be_sent_is_not_kept(void **state)
{
    static const char *const bad[][3] = {
        {"", "ann", "s"}, {"a.io", "", "s"}, {"a.io", "ann", ""}, {"a.io", "a:b", "s"}, {"a.io", "ann", "s\n"}};
    char *longest = malloc((16u << 10) + 2);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(mlr_creds_store(bad[i][0], bad[i][1], bad[i][2], NULL, NULL, NULL), MLREG_EINVAL);
    assert_int_equal(entries_of("home"), 0);
    memset(longest, 's', (16u << 10) + 1);
    longest[(16u << 10) + 1] = '\0';
    assert_int_equal(mlr_creds_store("a.io", "ann", longest, NULL, NULL, NULL), MLREG_EINVAL);
    assert_int_equal(mlr_creds_store("a.io", "ann", longest + 1, NULL, NULL, NULL), 0);
    free(longest);
}

static void test_creds_store__a_helper_keeps_what_the_file_then_does_not_hold(void **state)
{
    const char *config = "{\"credHelpers\":{\"a.io\":\"t\"}}";
    char       *where = NULL;

    (void)state;
    creds_bed_write(&bed, CONFIG, config);
    creds_bed_helper(&bed, "t", "cat >$D/stored");
    assert_int_equal(mlr_creds_store("a.io", "ann", "hunter2", NULL, &where, NULL), 0);
    assert_string_equal(where, "docker-credential-t");
    assert_file("stored", "{\"ServerURL\":\"a.io\",\"Username\":\"ann\",\"Secret\":\"hunter2\"}");
    assert_file(CONFIG, config);
    mlr_free(where);
}

static void test_creds_store__a_helper_that_fails_is_no_reason_to_write_the_file(void **state)
{
    const char  *config = "{\"credsStore\":\"t\"}";
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write(&bed, CONFIG, config);
    creds_bed_helper(&bed, "t", "cat >&2; exit 1");
    assert_refused(MLREG_EIO, &e);
    assert_file(CONFIG, config);
    mlr_error_done(e);
}

static void test_creds_store__logout_takes_the_entry_out_of_the_file(void **state)
{
    char *where = NULL;

    (void)state;
    creds_bed_write(&bed, CONFIG, NEW);
    assert_int_equal(mlr_creds_erase("b.io", NULL, &where, NULL), 0);
    char *path = bed_path(bed.dir, CONFIG);
    assert_string_equal(where, path);
    assert_file(CONFIG, "{ \"auths\": {\n\t\t\"a.io\": {\n\t\t\t\"auth\": \"YW5uOmh1bnRlcjI=\"\n\t\t} },"
                        " \"HttpHeaders\": {\"X\": \"y\"} }\n");
    free(path);
    mlr_free(where);
}

static void test_creds_store__logout_asks_the_helper_too(void **state)
{
    char *where = NULL, *expected = NULL;

    (void)state;
    creds_bed_write(&bed, CONFIG, "{\"credsStore\":\"t\",\"auths\":{\"a.io\":{}}}");
    creds_bed_helper(&bed, "t", "[ $1 = erase ] && cat >$D/erased || echo '{\"Username\":\"ann\",\"Secret\":\"s\"}'");
    assert_int_equal(mlr_creds_erase("a.io", NULL, &where, NULL), 0);
    assert_true(asprintf(&expected, "%s/%s, docker-credential-t", bed.dir, CONFIG) > 0);
    assert_string_equal(where, expected);
    assert_file("erased", "a.io\n");
    assert_file(CONFIG, "{\"credsStore\":\"t\",\"auths\":{}}");
    mlr_free(where);
    where = NULL;
    assert_int_equal(mlr_creds_erase("a.io", NULL, &where, NULL), 0);
    assert_string_equal(where, "docker-credential-t");
    mlr_free(where);
    free(expected);
}

static void test_creds_store__logout_of_nothing_says_so_and_makes_nothing(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    assert_int_equal(mlr_creds_erase("a.io", NULL, NULL, &e), MLREG_ENOTFOUND);
    assert_non_null(strstr(e->message, "no credentials for a.io are kept in "));
    assert_int_equal(entries_of("home"), 0);
    mlr_error_done(e);
    creds_bed_write(&bed, CONFIG, OLD);
    assert_int_equal(mlr_creds_erase("a.io", NULL, NULL, NULL), MLREG_ENOTFOUND);
    assert_file(CONFIG, OLD);
}

static int store_ten(void *arg, mlr_op *op, mlreg_error **err)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < 10; i++) {
        char host[32];

        snprintf(host, sizeof host, "h%d-%d.io", *(int *)arg, i);
        rc = mlr_creds_store(host, "ann", "hunter2", op, NULL, err);
    }
    return rc;
}

static void test_creds_store__of_many_logins_at_once_none_is_lost(void **state)
{
    int        numbers[4] = {0, 1, 2, 3};
    mlr_group *g = NULL;

    (void)state;
    assert_int_equal(mlr_group_new(NULL, NULL, 4, &g, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(mlr_group_add(g, store_ten, &numbers[i], NULL), 0);
    assert_int_equal(mlr_group_wait(g, NULL), 0);
    mlr_group_free(g);
    for (int i = 0; i < 40; i++) {
        char      host[32];
        mlr_creds c;

        snprintf(host, sizeof host, "h%d-%d.io", i / 10, i % 10);
        assert_int_equal(mlr_creds_find(host, "", NULL, NULL, NULL, NULL, &c, NULL), 0);
        assert_int_equal(c.kind, MLR_CREDS_BASIC);
        mlr_creds_done(&c);
    }
    assert_int_equal(entries_of("home/.docker"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_creds_store__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_login_makes_the_file_for_its_owner_alone),
        TEST(everything_else_in_the_file_stays),
        TEST(the_file_stays_with_its_owner),
        TEST(the_hub_is_kept_under_dockers_name),
        TEST(a_link_stays_and_its_target_changes),
        TEST(a_read_only_file_is_left_alone),
        TEST(a_read_only_file_system_is_an_error_with_a_hint),
        TEST(the_old_file_or_the_new_one_stands_whatever_fails),
        TEST(want_of_memory_changes_nothing),
        TEST(a_broken_file_is_left_for_its_owner_to_mend),
        TEST(a_file_that_may_not_be_read_is_not_replaced),
        TEST(without_home_there_is_no_place),
        TEST(what_cannot_be_sent_is_not_kept),
        TEST(a_helper_keeps_what_the_file_then_does_not_hold),
        TEST(a_helper_that_fails_is_no_reason_to_write_the_file),
        TEST(logout_takes_the_entry_out_of_the_file),
        TEST(logout_asks_the_helper_too),
        TEST(logout_of_nothing_says_so_and_makes_nothing),
        TEST(of_many_logins_at_once_none_is_lost),
    };
    return cmocka_run_group_tests_name("net/creds_store", tests, NULL, NULL);
}
