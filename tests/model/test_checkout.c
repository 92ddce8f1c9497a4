/* tests/model/test_checkout.c - files into a folder: names first, nothing outside, whole or not at all, and untouched where they are right. */
#include "model/checkout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"
#include "checkout_bed.h"

static const bed_layer three[] = {
    { .title = "config.json", .data = "{}x" }, { .title = "weights/a.bin", .data = "AAAA" }, { .title = "weights/b.bin", .data = "BBBBB" },
};

static mlr_manifest *three_files(fixture *f)
{
    return bed_manifest(f->place, REPO, three, 3, NULL);
}

static void assert_three(fixture *f)
{
    bed_assert_file(bed_at(f->out, "config.json"), "{}x");
    bed_assert_file(bed_at(f->out, "weights/a.bin"), "AAAA");
    bed_assert_file(bed_at(f->out, "weights/b.bin"), "BBBBB");
    assert_int_equal(bed_count_files(f->out), 3);
}

/* ---- what is written ---- */

static void test_checkout__writes_every_file(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = three_files(f);
    bed_call c = bed_begin();
    mlreg_stats s;

    bed_assert_rc(check_out(f, m, NULL, c.op, &err), 0);
    s = bed_end(&c);
    assert_three(f);
    assert_int_equal(s.blobs_done, 3);
    assert_int_equal(s.blobs_total, 3);
    assert_int_equal(s.bytes_total, 3 + 4 + 5);
    assert_int_equal(s.bytes_done, 3 + 4 + 5);
    mlr_manifest_free(m);
}

static void test_checkout__leaves_files_alone_that_are_right(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = three_files(f);
    struct stat before, after;
    bed_call c;
    mlreg_stats s;

    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    before = stat_of(bed_at(f->out, "weights/a.bin"));
    bed_write(bed_at(f->out, "weights/b.bin"), "XXXXX"); /* as long, but wrong */
    bed_write(bed_at(f->out, "config.json"), "short");
    bed_write(bed_at(f->out, "mine.txt"), "not the artifact's");
    f->odd->opens = 0;
    c = bed_begin();
    bed_assert_rc(check_out(f, m, NULL, c.op, &err), 0);
    s = bed_end(&c);
    after = stat_of(bed_at(f->out, "weights/a.bin"));
    assert_int_equal(f->odd->opens, 2);
    assert_int_equal(s.bytes_reused, 4);
    assert_int_equal(s.bytes_done, s.bytes_total);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    bed_assert_file(bed_at(f->out, "mine.txt"), "not the artifact's");
    unlink(bed_at(f->out, "mine.txt"));
    assert_three(f);
    mlr_manifest_free(m);
}

static void test_checkout__takes_over_who_may_be_executed_and_no_more(void **state)
{
    fixture *f = *state;
    bed_layer layers[] = {
        { .title = "run", .data = "a", .more = ",\"org.cncf.model.file.metadata+json\":\"{\\\"mode\\\":2541}\"" }, /* 04755 */
        { .title = "plain", .data = "b", .more = ",\"org.cncf.model.file.metadata+json\":\"{\\\"mode\\\":438}\"" }, /* 0666 */
        { .title = "odd", .data = "c", .more = ",\"org.cncf.model.file.metadata+json\":\"{\\\"mode\\\"\"" },
    };
    mlr_manifest *m = bed_manifest(f->place, REPO, layers, 3, NULL);
    mode_t mask = umask(022);

    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    umask(mask);
    assert_int_equal(stat_of(bed_at(f->out, "run")).st_mode & 07777, 0755);
    assert_int_equal(stat_of(bed_at(f->out, "plain")).st_mode & 07777, 0644);
    assert_int_equal(stat_of(bed_at(f->out, "odd")).st_mode & 07777, 0644);
    mlr_manifest_free(m);
}

static void test_checkout__of_large_and_empty_files(void **state)
{
    fixture *f = *state;
    char *data = bed_many_bytes(5u << 20, 7);
    bed_layer layers[] = { { .title = "large", .data = data, .len = 5u << 20 }, { .title = "empty", .data = "" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, layers, 2, NULL);
    mlr_buf got = MLR_BUF_INIT(6u << 20);

    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    assert_int_equal(mlr_fs_read_file(bed_at(f->out, "large"), &got, NULL), 0);
    assert_int_equal(got.len, 5u << 20);
    assert_memory_equal(got.data, data, got.len);
    assert_int_equal(stat_of(bed_at(f->out, "empty")).st_size, 0);
    mlr_buf_done(&got);
    mlr_manifest_free(m);
    free(data);
}

static void test_checkout__chooses_by_patterns(void **state)
{
    static const char *const include[] = { "*.bin", "config.json" }, *const exclude[] = { "weights/b*" };
    fixture *f = *state;
    mlr_manifest *m = three_files(f);
    mlr_checkout how = { include, exclude, 2, 1 };

    bed_assert_rc(check_out(f, m, &how, NULL, &err), 0);
    assert_int_equal(f->odd->opens, 2);
    assert_true(bed_exists(bed_at(f->out, "config.json")));
    assert_true(bed_exists(bed_at(f->out, "weights/a.bin")));
    assert_int_equal(bed_count_files(f->out), 2);
    mlr_manifest_free(m);
}

static void test_checkout__from_a_store_and_a_layout(void **state)
{
    static const char *const locations[] = { "%s/store", "oci:%s/layout" };
    fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        char location[512], *aside = bed_dir_new();
        mlr_checkout all = { 0 };
        mlr_place *p;
        mlr_manifest *m;

        snprintf(location, sizeof location, locations[i], aside);
        p = bed_open(location, MLREG_OPEN_CREATE, f->rt);
        m = bed_manifest(p, REPO, three, 3, NULL);
        bed_assert_rc(mlr_checkout_run(p, REPO, m, f->out, &all, NULL, &err), 0);
        assert_three(f);
        mlr_manifest_free(m);
        mlr_place_close(p);
        bed_dir_remove(aside);
    }
}

/* ---- names that are refused before a byte is fetched ---- */

static void test_checkout__refuses_hostile_titles_before_it_fetches(void **state)
{
    static const char *const titles[] = { "../x", "/etc/x", "a\\..\\b", "a/../../x", "..", ".", "a//b", "C:\\x", "c:x", "a/./b", "nul", "a\tb", "x/", "a " };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        bed_layer layers[] = { { .title = "good", .data = "good" }, { .title = titles[i], .data = "evil" } };
        mlr_manifest *m = bed_manifest(f->place, REPO, layers, 2, NULL);
        mlreg_error *why = NULL;

        assert_int_equal(check_out(f, m, NULL, NULL, &why), MLREG_EINVAL);
        if (strchr(titles[i], '\t') == NULL) /* a message is one line */
            assert_string_equal(why->subject, titles[i]);
        assert_int_equal(f->odd->opens, 0);
        assert_false(bed_exists(f->out));
        mlr_error_done(why);
        mlr_manifest_free(m);
    }
}

static void test_checkout__refuses_titles_that_clash(void **state)
{
    static const char *const pairs[][2] = { { "a", "a" }, { "Model.bin", "model.bin" }, { "a", "a/b" }, { "DIR/x", "dir/X" } };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bed_layer layers[] = { { .title = pairs[i][0], .data = "1" }, { .title = pairs[i][1], .data = "2" } };
        mlr_manifest *m = bed_manifest(f->place, REPO, layers, 2, NULL);

        bed_assert_rc(check_out(f, m, NULL, NULL, &err), MLREG_EINVAL);
        assert_int_equal(f->odd->opens, 0);
        assert_false(bed_exists(f->out));
        mlr_manifest_free(m);
    }
}

static void test_checkout__checks_names_that_nobody_asked_for_too(void **state)
{
    static const char *const include[] = { "good" };
    fixture *f = *state;
    bed_layer layers[] = { { .title = "good", .data = "good" }, { .title = "../x", .data = "evil" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, layers, 2, NULL);
    mlr_checkout how = { .include = include, .n_include = 1 };

    bed_assert_rc(check_out(f, m, &how, NULL, &err), MLREG_EINVAL);
    mlr_manifest_free(m);
}

static void test_checkout__of_an_index_says_what_to_do(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = three_files(f);
    const mlr_manifest *children[] = { m };
    mlr_manifest *index = bed_index(children, 1);
    mlreg_error *why = NULL;

    assert_int_equal(check_out(f, index, NULL, NULL, &why), MLREG_ENOTSUP);
    assert_non_null(why->hint);
    assert_false(bed_exists(f->out));
    mlr_error_done(why);
    mlr_manifest_free(index);
    mlr_manifest_free(m);
}

static void test_checkout__of_layers_that_are_no_files_says_so(void **state)
{
    fixture *f = *state;
    bed_layer layers[] = { { .type = "application/vnd.ollama.image.model", .data = "GGUF" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, layers, 1, NULL);

    bed_assert_rc(check_out(f, m, NULL, NULL, &err), MLREG_ENOTSUP);
    assert_false(bed_exists(f->out));
    mlr_manifest_free(m);
}

/* ---- what is in the way ---- */

/* Nothing was fetched, and the error says which path it is about and in which folder. */
static void assert_refused(fixture *f, const mlr_manifest *m, int want, const char *subject)
{
    mlreg_error *why = NULL;

    f->odd->opens = 0;
    assert_int_equal(check_out(f, m, NULL, NULL, &why), want);
    assert_string_equal(why->subject, subject);
    assert_string_equal(why->place, f->out);
    assert_non_null(why->hint);
    assert_int_equal(f->odd->opens, 0);
    mlr_error_done(why);
}

static void test_checkout__writes_through_no_link(void **state)
{
    fixture *f = *state;
    bed_layer one[] = { { .title = "sub/x", .data = "evil" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, one, 1, NULL);

    assert_int_equal(mkdir(f->out, 0755), 0);
    assert_int_equal(symlink("..", bed_at(f->out, "sub")), 0); /* sub/x is the sentinel */
    assert_refused(f, m, MLREG_EDENIED, "sub/x");
    unlink(bed_at(f->out, "sub"));
    assert_int_equal(mkdir(bed_at(f->out, "sub"), 0755), 0);
    assert_int_equal(symlink("../../x", bed_at(f->out, "sub/x")), 0);
    assert_refused(f, m, MLREG_EDENIED, "sub/x");
    assert_true(S_ISLNK(stat_of(bed_at(f->out, "sub/x")).st_mode));
    unlink(bed_at(f->out, "sub/x"));
    assert_int_equal(symlink("nowhere", bed_at(f->out, "sub/x")), 0); /* one that leads to nothing is one too */
    assert_refused(f, m, MLREG_EDENIED, "sub/x");
    mlr_manifest_free(m);
}

static void test_checkout__replaces_only_files(void **state)
{
    fixture *f = *state;
    bed_layer one[] = { { .title = "a", .data = "new" } }, below[] = { { .title = "d/a", .data = "new" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, one, 1, NULL), *n = bed_manifest(f->place, REPO, below, 1, NULL);

    assert_int_equal(mkdir(f->out, 0755), 0);
    assert_int_equal(mkdir(bed_at(f->out, "a"), 0755), 0);
    assert_refused(f, m, MLREG_EEXISTS, "a");
    rmdir(bed_at(f->out, "a"));
    assert_int_equal(mkfifo(bed_at(f->out, "a"), 0644), 0);
    assert_refused(f, m, MLREG_EEXISTS, "a");
    unlink(bed_at(f->out, "a"));
    bed_write(bed_at(f->out, "d"), "a file where a folder is needed");
    assert_refused(f, n, MLREG_EEXISTS, "d");
    bed_assert_file(bed_at(f->out, "d"), "a file where a folder is needed");
    mlr_manifest_free(n);
    mlr_manifest_free(m);
}

static void test_checkout__makes_the_folder_but_not_its_parent(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = three_files(f);
    mlr_checkout all = { 0 };
    mlreg_error *why = NULL;

    assert_int_equal(mlr_checkout_run(f->place, REPO, m, bed_at(f->dir, "no/such/out"), &all, NULL, &why), MLREG_ENOTFOUND);
    assert_non_null(strstr(why->message, "no/such"));
    assert_non_null(why->hint);
    assert_false(bed_exists(bed_at(f->dir, "no")));
    mlr_error_done(why);
    bed_assert_rc(mlr_checkout_run(f->place, REPO, m, bed_at(f->dir, "out/"), &all, NULL, &err), 0);
    assert_three(f);
    mlr_manifest_free(m);
}

static void test_checkout__follows_the_way_to_the_folder(void **state)
{
    fixture *f = *state;
    char *aside = bed_dir_new();
    mlr_manifest *m = three_files(f);

    assert_int_equal(symlink(aside, f->out), 0); /* the host's own */
    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    bed_assert_file(bed_at(aside, "weights/a.bin"), "AAAA");
    mlr_manifest_free(m);
    bed_dir_remove(aside);
}

/* ---- failures ---- */

static void test_checkout__of_wrong_bytes_leaves_the_old_file(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = three_files(f);
    mlreg_error *why = NULL;

    assert_int_equal(mkdir(f->out, 0755), 0);
    assert_int_equal(mkdir(bed_at(f->out, "weights"), 0755), 0);
    bed_write(bed_at(f->out, "weights/b.bin"), "old");
    f->odd->lie = digest_of("BBBBB");
    assert_int_equal(check_out(f, m, NULL, NULL, &why), MLREG_EDIGEST);
    assert_string_equal(why->place, "the source");
    mlr_error_done(why);
    bed_assert_file(bed_at(f->out, "weights/b.bin"), "old");
    assert_in_range(bed_count_files(f->out), 1, 3); /* the others may be there, no temporary is */
    f->odd->lie = (mlr_digest){ "" };
    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    assert_three(f);
    mlr_manifest_free(m);
}

static void test_checkout__of_what_breaks_off_or_is_missing_names_the_source(void **state)
{
    fixture *f = *state;
    mlr_manifest *m = three_files(f);

    for (int missing = 0; missing <= 1; missing++) {
        mlreg_error *why = NULL;

        f->odd->missing = f->odd->fails = (mlr_digest){ "" };
        *(missing ? &f->odd->missing : &f->odd->fails) = digest_of("BBBBB");
        f->odd->code = MLREG_ENET;
        assert_int_equal(check_out(f, m, NULL, NULL, &why), missing ? MLREG_ENOTFOUND : MLREG_ENET);
        assert_string_equal(why->place, "the source");
        mlr_error_done(why);
        assert_false(bed_exists(bed_at(f->out, "weights/b.bin")));
    }
    mlr_manifest_free(m);
}

static void test_checkout__cancelled_leaves_no_half_file(void **state)
{
    fixture *f = *state;
    char *data = bed_many_bytes(6u << 20, 3);
    bed_layer layers[] = { { .title = "large", .data = data, .len = 6u << 20 } };
    mlr_manifest *m = bed_manifest(f->place, REPO, layers, 1, NULL);
    bed_call c = bed_begin();

    f->odd->on_read = cancel;
    f->odd->user = c.remote;
    bed_assert_rc(check_out(f, m, NULL, c.op, &err), MLREG_ECANCELLED);
    bed_end(&c);
    assert_int_equal(bed_count_files(f->out), 0);
    mlr_manifest_free(m);
    free(data);
}

/* Whatever call fails, and whether the disk stays full: files are old or new, no temporary stays, the message names the path. */
static void test_checkout__is_sound_whatever_file_call_fails(void **state)
{
    fixture *f = *state;
    bed_layer one[] = { { .title = "d/new", .data = "NEW" }, { .title = "old", .data = "NEW" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, one, 2, NULL);

    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            mlreg_error *why = NULL;
            int rc;

            mkdir(f->out, 0755);
            unlink(bed_at(f->out, "d/new"));
            rmdir(bed_at(f->out, "d"));
            bed_write(bed_at(f->out, "old"), "OLD!");
            fs_fault_arm(n, for_good, ENOSPC);
            rc = check_out(f, m, NULL, NULL, &why);
            fired = fs_fault_disarm();
            assert_true(rc == 0 || rc == MLREG_EIO);
            if (!fired)
                assert_int_equal(rc, 0);
            if (rc < 0) {
                assert_null(strstr(why->message, "/proc/"));
                assert_non_null(why->hint);
                assert_string_equal(why->place, f->out);
            }
            mlr_error_done(why);
            assert_true(is_old_or_new(bed_at(f->out, "d/new"), NULL, "NEW"));
            assert_true(is_old_or_new(bed_at(f->out, "old"), "OLD!", "NEW"));
            assert_in_range(bed_count_files(f->out), 1, 2);
        }
    mlr_manifest_free(m);
}

static void test_checkout__is_clean_without_memory(void **state)
{
    fixture *f = *state;
    bed_layer one[] = { { .title = "d/new", .data = "NEW", .more = ",\"org.cncf.model.file.metadata+json\":\"{\\\"mode\\\":493}\"" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, one, 1, NULL);
    mlr_runtime *shared = f->odd->place.rt, *inline_rt = NULL;
    failing_alloc a;

    assert_int_equal(mlr_runtime_new(&(mlr_limits){ .threads = (uint32_t)MLREG_NONE }, &inline_rt, NULL), 0);
    f->odd->place.rt = inline_rt;
    for (int n = 1, fired = 1; fired; n++) {
        mlreg_error *why = NULL;
        int rc;

        failing_alloc_arm(&a, n, false);
        rc = check_out(f, m, NULL, NULL, &why);
        fired = failing_alloc_disarm(&a);
        assert_true(rc == MLREG_ENOMEM || rc == 0); /* a message may do without its hint */
        assert_int_equal(rc, mlreg_error_code(why));
        mlr_error_done(why);
        assert_true(is_old_or_new(bed_at(f->out, "d/new"), NULL, "NEW"));
        if (rc == 0)
            assert_int_equal(stat_of(bed_at(f->out, "d/new")).st_mode & 0100, 0100);
    }
    f->odd->place.rt = shared;
    mlr_runtime_unref(inline_rt);
    mlr_manifest_free(m);
}

struct seen { odd_place *odd; atomic_int most; };

static void see(void *user)
{
    struct seen *s = user;
    int n = atomic_load(&s->odd->readers);

    for (int most = atomic_load(&s->most); n > most && !atomic_compare_exchange_weak(&s->most, &most, n);)
        ;
    usleep(1000);
}

/* However many threads there are for small ones. */
static void test_checkout__of_large_files_from_afar_few_move_at_once(void **state)
{
    enum { FILES = 200, LARGE = (1 << 20) + 1, AT_ONCE = 8 };
    fixture *f = *state;
    bed_layer layers[FILES];
    char *data = malloc(LARGE), titles[FILES][8];
    struct seen seen = { f->odd, 0 };
    mlr_manifest *m;

    memset(data, 'x', LARGE);
    for (int i = 0; i < FILES; i++) {
        snprintf(titles[i], sizeof titles[i], "f%d", i);
        layers[i] = (bed_layer){ .title = titles[i], .data = data, .len = LARGE };
    }
    m = bed_manifest(f->place, REPO, layers, FILES, NULL);
    f->odd->place.far = true;
    f->odd->on_read = see;
    f->odd->user = &seen;
    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    assert_in_range(seen.most, 1, AT_ONCE);
    assert_int_equal(bed_count_files(f->out), FILES);
    mlr_manifest_free(m);
    free(data);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_checkout__writes_every_file),
        TEST(test_checkout__leaves_files_alone_that_are_right),
        TEST(test_checkout__takes_over_who_may_be_executed_and_no_more),
        TEST(test_checkout__of_large_and_empty_files),
        TEST(test_checkout__chooses_by_patterns),
        TEST(test_checkout__from_a_store_and_a_layout),
        TEST(test_checkout__refuses_hostile_titles_before_it_fetches),
        TEST(test_checkout__refuses_titles_that_clash),
        TEST(test_checkout__checks_names_that_nobody_asked_for_too),
        TEST(test_checkout__of_an_index_says_what_to_do),
        TEST(test_checkout__of_layers_that_are_no_files_says_so),
        TEST(test_checkout__writes_through_no_link),
        TEST(test_checkout__replaces_only_files),
        TEST(test_checkout__makes_the_folder_but_not_its_parent),
        TEST(test_checkout__follows_the_way_to_the_folder),
        TEST(test_checkout__of_wrong_bytes_leaves_the_old_file),
        TEST(test_checkout__of_what_breaks_off_or_is_missing_names_the_source),
        TEST(test_checkout__cancelled_leaves_no_half_file),
        TEST(test_checkout__is_sound_whatever_file_call_fails),
        TEST(test_checkout__is_clean_without_memory),
        TEST(test_checkout__of_large_files_from_afar_few_move_at_once),
    };
    return cmocka_run_group_tests_name("model/checkout", tests, NULL, NULL);
}
