/* tests/net/test_creds_config.c - what a file of credentials says, and what it must not say. */
#include "net/creds_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"
#include "net/creds_bed.h"

#define ANN    "YW5uOmh1bnRlcjI="          /* ann:hunter2 */
#define BOB    "Ym9iOmE6Yjpj"              /* bob:a:b:c */

static creds_bed bed;
static char      path[128];

static int setup(void **state)
{
    (void)state;
    creds_bed_make(&bed);
    snprintf(path, sizeof path, "%s/config.json", bed.dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mlr_fs_use(NULL, NULL);
    creds_bed_remove(&bed);
    return 0;
}

static void write_and_open(const char *text, bool has_paths, mlr_creds_config *c)
{
    const char *why;

    creds_bed_write(&bed, "config.json", text);
    assert_int_equal(mlr_creds_config_open(c, path, has_paths, &why, NULL), 1);
}

static int find(const char *text, bool has_paths, const char *host, const char *repo, mlr_creds *out, mlreg_error **err)
{
    mlr_creds_config c;
    int              rc;

    write_and_open(text, has_paths, &c);
    *out = (mlr_creds){0};
    rc = mlr_creds_config_find(&c, host, repo, out, err);
    mlr_creds_config_close(&c);
    return rc;
}

static void assert_found(const char *text, const char *host, const char *name, const char *secret)
{
    mlr_creds c;

    assert_int_equal(find(text, false, host, "", &c, NULL), 1);
    assert_int_equal(c.kind, MLR_CREDS_BASIC);
    assert_string_equal(c.name, name);
    assert_string_equal(c.secret, secret);
    mlr_creds_done(&c);
}

static void test_creds_config__auth_is_split_at_the_first_colon(void **state)
{
    (void)state;
    assert_found("{\"auths\":{\"ghcr.io\":{\"auth\":\"" ANN "\"}}}", "ghcr.io", "ann", "hunter2");
    assert_found("{\"auths\":{\"ghcr.io\":{\"auth\":\"" BOB "\"}}}", "ghcr.io", "bob", "a:b:c");
    assert_found("{\"auths\":{\"ghcr.io\":{\"auth\":\"YW5uOg==\"}}}", "ghcr.io", "ann", "");
    assert_found("{\"auths\":{\"ghcr.io\":{\"auth\":\"YW5uOmh1bnRlcjI\"}}}", "ghcr.io", "ann", "hunter2");
}

static void test_creds_config__the_best_of_several_names_counts(void **state)
{
    (void)state;
    assert_found("{\"auths\":{\"https://ghcr.io/v1/\":{\"auth\":\"" BOB "\"},\"ghcr.io\":{\"auth\":\"" ANN "\"}}}",
        "ghcr.io", "ann", "hunter2");
    assert_found("{\"auths\":{\"docker.io\":{\"auth\":\"" BOB "\"},"
                 "\"https://index.docker.io/v1/\":{\"auth\":\"" ANN "\"}}}", "docker.io", "ann", "hunter2");
    assert_found("{\"auths\":{\"https://127.0.0.1:5000\":{\"auth\":\"" ANN "\"}}}", "127.0.0.1:5000", "ann", "hunter2");
}

/* `base64` without -w0 breaks its lines, and docker's decoder passes over that. */
static void test_creds_config__auth_may_have_lines_as_docker_reads_it(void **state)
{
    (void)state;
    assert_found("{\"auths\":{\"ghcr.io\":{\"auth\":\"YW5uOmh1\\nbnRlcjI=\\r\\n\"}}}", "ghcr.io", "ann", "hunter2");
}

static void test_creds_config__name_and_password_stand_in_for_auth(void **state)
{
    (void)state;
    assert_found("{\"auths\":{\"ghcr.io\":{\"username\":\"ann\",\"password\":\"p\"}}}", "ghcr.io", "ann", "p");
    assert_found("{\"auths\":{\"ghcr.io\":{\"username\":\"x\",\"password\":\"y\",\"auth\":\"" ANN "\"}}}", "ghcr.io",
        "ann", "hunter2");
}

static void test_creds_config__tokens_come_before_passwords(void **state)
{
    const char *both = "{\"auths\":{\"h.io\":{\"auth\":\"" ANN "\",\"identitytoken\":\"idt\"}}}";
    const char *three = "{\"auths\":{\"h.io\":{\"registrytoken\":\"reg\",\"identitytoken\":\"idt\"}}}";
    mlr_creds   c;

    (void)state;
    assert_int_equal(find(both, false, "h.io", "", &c, NULL), 1);
    assert_int_equal(c.kind, MLR_CREDS_IDENTITY);
    assert_string_equal(c.secret, "idt");
    mlr_creds_done(&c);
    assert_int_equal(find(three, false, "h.io", "", &c, NULL), 1);
    assert_int_equal(c.kind, MLR_CREDS_BEARER);
    assert_string_equal(c.secret, "reg");
    mlr_creds_done(&c);
}

static void test_creds_config__an_empty_entry_says_nothing(void **state)
{
    static const char *const texts[] = {
        "{}", "{\"auths\":{}}", "{\"auths\":null}", "{\"auths\":{\"ghcr.io\":{}}}", "{\"auths\":{\"ghcr.io\":null}}",
        "{\"auths\":{\"ghcr.io\":{\"auth\":\"\"}}}", "{\"auths\":{\"ghcr.io\":{\"auth\":null,\"email\":7}}}",
        "{\"auths\":{\"ghcr.io\":{\"auth\":\"Og==\"}}}", "{\"auths\":{\"ghcr.io.evil\":{\"auth\":\"" ANN "\"}}}",
        "{\"auths\":{\"ghcr.io/team\":{\"auth\":\"" ANN "\"}}}",
    };
    mlr_creds c;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(find(texts[i], false, "ghcr.io", "team/x", &c, NULL), 0);
        assert_int_equal(c.kind, MLR_CREDS_NONE);
    }
}

static void test_creds_config__paths_count_in_containers_files(void **state)
{
    const char *text = "{\"auths\":{\"quay.io\":{\"auth\":\"" BOB "\"},\"quay.io/team\":{\"auth\":\"" ANN "\"}}}";
    mlr_creds_config f;
    mlr_creds        c;

    (void)state;
    assert_int_equal(find(text, true, "quay.io", "team/llama", &c, NULL), 1);
    assert_string_equal(c.name, "ann");
    mlr_creds_done(&c);
    assert_int_equal(find(text, true, "quay.io", "teams/llama", &c, NULL), 1);
    assert_string_equal(c.name, "bob");
    mlr_creds_done(&c);
    assert_int_equal(find(text, false, "quay.io", "team/llama", &c, NULL), 1);
    assert_string_equal(c.name, "bob");
    mlr_creds_done(&c);
    write_and_open(text, true, &f);
    assert_true(mlr_creds_config_tells_paths(&f, "quay.io"));
    assert_false(mlr_creds_config_tells_paths(&f, "ghcr.io"));
    mlr_creds_config_close(&f);
    write_and_open(text, false, &f);
    assert_false(mlr_creds_config_tells_paths(&f, "quay.io"));
    mlr_creds_config_close(&f);
    write_and_open("{\"auths\":[\"quay.io/team\"]}", true, &f);    /* its members have no names */
    assert_false(mlr_creds_config_tells_paths(&f, "quay.io"));
    mlr_creds_config_close(&f);
}

static void test_creds_config__what_is_malformed_is_named_and_no_secret_shown(void **state)
{
    static const char *const texts[] = {
        "{\"auths\":[]}", "{\"auths\":\"hunter2\"}", "{\"auths\":{\"ghcr.io\":\"hunter2\"}}",
        "{\"auths\":{\"ghcr.io\":{\"auth\":7}}}", "{\"auths\":{\"ghcr.io\":{\"auth\":\"hunter2!\"}}}",
        "{\"auths\":{\"ghcr.io\":{\"auth\":\"aHVudGVyMg==\"}}}",                      /* hunter2: no colon */
        "{\"auths\":{\"ghcr.io\":{\"auth\":\"YW5uOmh1bnRlcjIK\"}}}",                  /* ann:hunter2\n */
        "{\"auths\":{\"ghcr.io\":{\"auth\":\"YW5uOmh1bnRlcjIA\"}}}",                  /* ann:hunter2\0 */
        "{\"auths\":{\"ghcr.io\":{\"identitytoken\":\"hunter2\\r\\nX: y\"}}}",
        "{\"auths\":{\"ghcr.io\":{\"registrytoken\":{\"hunter2\":1}}}}",
        "{\"auths\":{\"ghcr.io\":{\"username\":\"a:b\",\"password\":\"hunter2\"}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mlreg_error *e = NULL;
        mlr_creds    c;

        assert_int_equal(find(texts[i], false, "ghcr.io", "", &c, &e), MLREG_EPROTO);
        assert_int_equal(e->code, MLREG_EPROTO);
        assert_non_null(strstr(e->message, path));
        assert_non_null(strstr(e->message, "ghcr.io"));
        assert_null(strstr(e->message, "hunter2"));
        assert_null(strstr(e->message, "aHVudGVy"));
        assert_string_equal(e->subject, path);
        assert_null(c.secret);
        mlr_error_done(e);
    }
}

static void test_creds_config__another_hosts_bad_entry_does_no_harm(void **state)
{
    (void)state;
    assert_found("{\"auths\":{\"bad.io\":{\"auth\":7},\"ghcr.io\":{\"auth\":\"" ANN "\"}}}", "ghcr.io",
        "ann", "hunter2");
}

static void assert_helper(const char *text, bool has_paths, const char *host, const char *suffix)
{
    mlr_creds_config c;
    const char      *named = "unset";

    write_and_open(text, has_paths, &c);
    assert_int_equal(mlr_creds_config_helper(&c, host, &named, NULL), 0);
    if (suffix == NULL)
        assert_null(named);
    else
        assert_string_equal(named, suffix);
    mlr_creds_config_close(&c);
}

static void test_creds_config__a_hosts_helper_beats_the_store(void **state)
{
    const char *text = "{\"credsStore\":\"pass\","
                       "\"credHelpers\":{\"ghcr.io\":\"gh\",\"plain.io\":\"\",\"docker.io\":\"hub\"}}";

    (void)state;
    assert_helper(text, false, "ghcr.io", "gh");
    assert_helper(text, false, "other.io", "pass");
    assert_helper(text, false, "plain.io", NULL);          /* "": this host's credentials are in the file */
    assert_helper(text, false, "docker.io", "hub");
    assert_helper("{}", false, "ghcr.io", NULL);
    assert_helper("{\"credsStore\":\"\",\"credHelpers\":null}", false, "ghcr.io", NULL);
}

static void test_creds_config__containers_files_have_helpers_of_hosts_only(void **state)
{
    (void)state;
    assert_helper("{\"credsStore\":\"pass\",\"credHelpers\":{\"ghcr.io\":\"gh\"}}", true, "ghcr.io", "gh");
    assert_helper("{\"credsStore\":\"pass\"}", true, "ghcr.io", NULL);
}

static void test_creds_config__a_helper_that_is_no_string_is_an_error(void **state)
{
    mlr_creds_config c;
    mlreg_error     *e = NULL;
    const char      *named;

    (void)state;
    write_and_open("{\"credHelpers\":{\"ghcr.io\":[\"gh\"]}}", false, &c);
    assert_int_equal(mlr_creds_config_helper(&c, "ghcr.io", &named, &e), MLREG_EPROTO);
    assert_non_null(strstr(e->message, path));
    mlr_error_done(e);
    mlr_creds_config_close(&c);
}

static void assert_passed_over(const char *file, const char *reason)
{
    mlr_creds_config c;
    mlreg_error     *e = NULL;
    const char      *why = NULL;

    assert_int_equal(mlr_creds_config_open(&c, file, false, &why, &e), 0);
    assert_null(e);
    assert_string_equal(why, reason);
}

static void test_creds_config__a_file_that_is_not_there_is_passed_over(void **state)
{
    (void)state;
    assert_passed_over(path, "not there");
    assert_passed_over("/dev/null/.docker/config.json", "not there");
    creds_bed_write(&bed, "file", "x");
    snprintf(path, sizeof path, "%s/file/config.json", bed.dir);
    assert_passed_over(path, "not there");
}

static void test_creds_config__an_empty_one_says_nothing(void **state)
{
    (void)state;
    creds_bed_write(&bed, "config.json", "");
    assert_passed_over(path, "empty");
    creds_bed_write(&bed, "config.json", "\n \t\r\n");
    assert_passed_over(path, "empty");
}

static void test_creds_config__one_that_may_not_be_read_is_passed_over(void **state)
{
    (void)state;
    creds_bed_write(&bed, "config.json", "{}");
    fs_fault_arm(1, 1, EACCES);
    assert_passed_over(path, "not readable");
    fs_fault_disarm();
}

static void assert_broken(mlreg_error **err)
{
    mlr_creds_config c;
    const char      *why;
    int              rc = mlr_creds_config_open(&c, path, false, &why, err);

    assert_true(rc < 0);
    assert_int_equal((*err)->code, rc);
    assert_non_null(strstr((*err)->message, path));
    assert_string_equal((*err)->subject, path);
    assert_non_null((*err)->hint);
}

static void test_creds_config__one_that_is_broken_is_an_error(void **state)
{
    static const char *const texts[] = {
        "{", "[]", "null", "hunter2", "{\"auths\":{}} x", "{\"a\":1,\"a\":2}", "\xef\xbb\xbf{}",
        "{\"auths\":{\"ghcr.io\":{\"auth\":\"hunter2\"}}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mlreg_error *e = NULL;

        creds_bed_write(&bed, "config.json", texts[i]);
        assert_broken(&e);
        assert_int_equal(e->code, MLREG_EPROTO);
        assert_null(strstr(e->message, "hunter2"));
        mlr_error_done(e);
    }
}

static void test_creds_config__one_that_is_no_plain_file_is_an_error_and_no_hang(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_broken(&e);
    assert_int_equal(e->code, MLREG_EPROTO);
    mlr_error_done(e);
    e = NULL;
    remove(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_broken(&e);
    mlr_error_done(e);
}

static void test_creds_config__a_disk_that_fails_is_an_error(void **state)
{
    mlreg_error *e = NULL;

    (void)state;
    creds_bed_write(&bed, "config.json", "{}");
    fs_fault_arm_only(MLR_FS_READ, 1, 1, EIO);
    assert_broken(&e);
    fs_fault_disarm();
    assert_int_equal(e->code, MLREG_EIO);
    mlr_error_done(e);
}

static void test_creds_config__four_mib_and_no_more(void **state)
{
    char            *text = malloc(MLR_CREDS_CONFIG_MAX_BYTES + 1);
    mlr_creds_config c;
    const char      *why;
    mlreg_error     *e = NULL;

    (void)state;
    memset(text, ' ', MLR_CREDS_CONFIG_MAX_BYTES + 1);
    memcpy(text, "{}", 2);
    creds_bed_write_bytes(&bed, "config.json", text, MLR_CREDS_CONFIG_MAX_BYTES, 0600);
    assert_int_equal(mlr_creds_config_open(&c, path, false, &why, NULL), 1);
    mlr_creds_config_close(&c);
    creds_bed_write_bytes(&bed, "config.json", text, MLR_CREDS_CONFIG_MAX_BYTES + 1, 0600);
    assert_broken(&e);
    assert_int_equal(e->code, MLREG_EPROTO);
    mlr_error_done(e);
    free(text);
}

static void test_creds_config__survives_want_of_memory(void **state)
{
    failing_alloc f;
    bool          fired = true;

    (void)state;
    creds_bed_write(&bed, "config.json", "{\"auths\":{\"ghcr.io\":{\"auth\":\"" ANN "\"}}}");
    for (int n = 1; fired; n++) {
        mlr_creds_config c = {0};
        mlr_creds        found = {0};
        const char      *why;

        failing_alloc_arm(&f, n, false);
        int rc = mlr_creds_config_open(&c, path, false, &why, NULL);
        if (rc == 1)
            rc = mlr_creds_config_find(&c, "ghcr.io", "", &found, NULL);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 1);
        mlr_creds_done(&found);
        mlr_creds_config_close(&c);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_creds_config__##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(auth_is_split_at_the_first_colon),
        TEST(the_best_of_several_names_counts),
        TEST(auth_may_have_lines_as_docker_reads_it),
        TEST(name_and_password_stand_in_for_auth),
        TEST(tokens_come_before_passwords),
        TEST(an_empty_entry_says_nothing),
        TEST(paths_count_in_containers_files),
        TEST(what_is_malformed_is_named_and_no_secret_shown),
        TEST(another_hosts_bad_entry_does_no_harm),
        TEST(a_hosts_helper_beats_the_store),
        TEST(containers_files_have_helpers_of_hosts_only),
        TEST(a_helper_that_is_no_string_is_an_error),
        TEST(a_file_that_is_not_there_is_passed_over),
        TEST(an_empty_one_says_nothing),
        TEST(one_that_may_not_be_read_is_passed_over),
        TEST(one_that_is_broken_is_an_error),
        TEST(one_that_is_no_plain_file_is_an_error_and_no_hang),
        TEST(a_disk_that_fails_is_an_error),
        TEST(four_mib_and_no_more),
        TEST(survives_want_of_memory),
    };
    return cmocka_run_group_tests_name("net/creds_config", tests, NULL, NULL);
}
