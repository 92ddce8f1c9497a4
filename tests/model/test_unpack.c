/* tests/model/test_unpack.c - layers that are archives: which are, what comes out of them, and that nothing does if one name is bad. */
#include "model/unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bed/failing_alloc.h"
#include "bed/fs_fault.h"
#include "bed/tar.h"
#include "checkout_bed.h"

#define TAR  "application/vnd.cncf.model.weight.v1.tar"
#define GZIP "application/vnd.cncf.model.weight.v1.tar+gzip"
#define ZSTD "application/vnd.cncf.model.weight.v1.tar+zstd"
#define IMAGE "application/vnd.oci.image.layer.v1.tar+gzip"

static bed_layer layer_of(const char *type, const mlr_buf *bytes)
{
    return (bed_layer){ .type = type, .data = bytes->data, .len = bytes->len };
}

/* A checkout of archives, all of one type. */
static int unpack(fixture *f, const mlr_buf *tars, size_t n, const char *type, mlreg_error **err)
{
    bed_layer layers[4];
    mlr_manifest *m;
    int rc;

    for (size_t i = 0; i < n; i++)
        layers[i] = layer_of(type, &tars[i]);
    m = bed_manifest(f->place, REPO, layers, n, NULL);
    rc = check_out(f, m, NULL, NULL, err);
    mlr_manifest_free(m);
    return rc;
}

/* Nothing of it was written, and no temporary is left. */
static void assert_nothing(fixture *f)
{
    if (bed_exists(f->out))
        assert_int_equal(bed_count(f->out), 0);
}

static mlr_buf sample(void)
{
    mlr_buf tar = BED_TAR_INIT;

    bed_tar_header(&tar, '5', "./", NULL, 0);
    bed_tar_file(&tar, "./config.json", "{}x", 3);
    bed_tar_header(&tar, '5', "empty/", NULL, 0);
    bed_tar_file(&tar, "weights/a.bin", "AAAA", 4);
    bed_tar_file(&tar, "zero", "", 0);
    bed_tar_end(&tar);
    return tar;
}

static void assert_sample(fixture *f)
{
    bed_assert_file(bed_at(f->out, "config.json"), "{}x");
    bed_assert_file(bed_at(f->out, "weights/a.bin"), "AAAA");
    bed_assert_file(bed_at(f->out, "zero"), "");
    assert_true(S_ISDIR(stat_of(bed_at(f->out, "empty")).st_mode));
    assert_int_equal(bed_count_files(f->out), 3);
}

/* ---- what comes out ---- */

static int count_syncs(mlr_fs_call call, const char *name, void *user)
{
    (void)name;
    atomic_fetch_add((atomic_int *)user, call == MLR_FS_SYNC);
    return 0;
}

static void test_unpack__of_many_small_files_syncs_few_times(void **state)
{
    enum { FILES = 40 };
    fixture *f = *state;
    mlr_buf tar = BED_TAR_INIT;
    atomic_int syncs = 0;
    char name[32], text[32];

    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "d%d/f%d", i % 3, i);
        bed_tar_file(&tar, name, name, strlen(name));
    }
    bed_tar_end(&tar);
    mlr_fs_use(count_syncs, &syncs);
    bed_assert_rc(unpack(f, &tar, 1, TAR, &err), 0);
    mlr_fs_use(NULL, NULL);
    assert_int_equal(bed_count_files(f->out), FILES);
    for (int i = 0; i < FILES; i++) {
        snprintf(text, sizeof text, "d%d/f%d", i % 3, i);
        bed_assert_file(bed_at(f->out, text), text);
    }
    assert_in_range(syncs, 1, FILES / 2);
    mlr_buf_done(&tar);
}

static void test_unpack__takes_tar_gzip_and_zstd(void **state)
{
    static const char *const types[] = { TAR, GZIP, ZSTD, "application/vnd.kitops.modelkit.model.v1.tar+gzip", IMAGE }, *const filters[] = { NULL, "gzip", "zstd", "gzip", "gzip" };
    fixture *f = *state;
    mlr_buf tar = sample();

    for (int trusted = 0; trusted <= 1; trusted++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            mlr_buf packed = BED_TAR_INIT;
            bed_layer layer;
            mlr_manifest *m;
            bed_call c = bed_begin();
            mlreg_stats s;

            if (filters[i] != NULL)
                bed_compress(&packed, filters[i], tar.data, tar.len);
            layer = layer_of(types[i], filters[i] != NULL ? &packed : &tar);
            m = bed_manifest(f->place, REPO, &layer, 1, NULL);
            f->odd->trusted = trusted;
            bed_assert_rc(check_out(f, m, NULL, c.op, &err), 0);
            s = bed_end(&c);
            assert_sample(f);
            assert_int_equal(s.bytes_total, layer.len);
            assert_int_equal(s.bytes_done, layer.len);
            assert_int_equal(s.blobs_done, 1);
            mlr_manifest_free(m);
            mlr_buf_done(&packed);
        }
    mlr_buf_done(&tar);
}

static void test_unpack__of_a_titled_image_layer_is_a_plain_file(void **state)
{
    fixture *f = *state;
    bed_layer plain = { .type = "application/vnd.oci.image.layer.v1.tar", .title = "model.gguf", .data = "GGUF and no tar" };
    mlr_manifest *m = bed_manifest(f->place, REPO, &plain, 1, NULL);

    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    bed_assert_file(bed_at(f->out, "model.gguf"), "GGUF and no tar");
    mlr_manifest_free(m);
}

static void test_unpack__does_what_oras_marked(void **state)
{
    fixture *f = *state;
    mlr_buf tar = sample();
    bed_layer marked = layer_of("application/vnd.oci.image.layer.v1.tar", &tar);
    mlr_manifest *m;

    marked.title = "weights";
    marked.more = ",\"io.deis.oras.content.unpack\":\"true\"";
    m = bed_manifest(f->place, REPO, &marked, 1, NULL);
    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    assert_sample(f);
    mlr_manifest_free(m);
    mlr_buf_done(&tar);
}

static void test_unpack__beside_files_and_other_archives(void **state)
{
    fixture *f = *state;
    mlr_buf a = BED_TAR_INIT, b = BED_TAR_INIT;
    bed_layer layers[3];
    mlr_manifest *m;

    bed_tar_header(&a, '5', "dir", NULL, 0);
    bed_tar_file(&a, "dir/a", "from a", 6);
    bed_tar_end(&a);
    bed_tar_header(&b, '5', "dir", NULL, 0); /* folders may be in both */
    bed_tar_file(&b, "dir/b", "from b", 6);
    bed_tar_end(&b);
    layers[0] = layer_of(TAR, &a);
    layers[1] = (bed_layer){ .title = "dir/c", .data = "a file" };
    layers[2] = layer_of(TAR, &b);
    m = bed_manifest(f->place, REPO, layers, 3, NULL);
    bed_assert_rc(check_out(f, m, NULL, NULL, &err), 0);
    bed_assert_file(bed_at(f->out, "dir/a"), "from a");
    bed_assert_file(bed_at(f->out, "dir/b"), "from b");
    bed_assert_file(bed_at(f->out, "dir/c"), "a file");
    mlr_manifest_free(m);
    mlr_buf_done(&a);
    mlr_buf_done(&b);
}

static void test_unpack__leaves_files_alone_that_are_right(void **state)
{
    fixture *f = *state;
    mlr_buf tar = sample();
    struct stat before, after;

    bed_assert_rc(unpack(f, &tar, 1, TAR, &err), 0);
    before = stat_of(bed_at(f->out, "weights/a.bin"));
    bed_write(bed_at(f->out, "config.json"), "old");
    bed_assert_rc(unpack(f, &tar, 1, TAR, &err), 0);
    after = stat_of(bed_at(f->out, "weights/a.bin"));
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_sample(f);
    mlr_buf_done(&tar);
}

static void test_unpack__chooses_by_patterns(void **state)
{
    static const char *const bins[] = { "*.bin" }, *const weights[] = { "weights/**", "empty" };
    fixture *f = *state;
    mlr_buf tar = sample();
    bed_layer layer = layer_of(TAR, &tar);
    mlr_manifest *m = bed_manifest(f->place, REPO, &layer, 1, NULL);
    mlr_checkout include = { .include = bins, .n_include = 1 }, exclude = { .exclude = weights, .n_exclude = 2 };

    bed_assert_rc(check_out(f, m, &include, NULL, &err), 0);
    assert_int_equal(bed_count_files(f->out), 1);
    assert_false(bed_exists(bed_at(f->out, "empty")));
    unlink(bed_at(f->out, "weights/a.bin"));
    rmdir(bed_at(f->out, "weights"));
    bed_assert_rc(check_out(f, m, &exclude, NULL, &err), 0);
    assert_int_equal(bed_count_files(f->out), 2);
    assert_false(bed_exists(bed_at(f->out, "weights")));
    assert_false(bed_exists(bed_at(f->out, "empty")));
    mlr_manifest_free(m);
    mlr_buf_done(&tar);
}

static void test_unpack__takes_over_who_may_be_executed_and_no_more(void **state)
{
    fixture *f = *state;
    mlr_buf tar = BED_TAR_INIT;
    mode_t mask = umask(022);

    bed_tar_header(&tar, '0', "run", NULL, 0);
    memcpy(tar.data + tar.len - BED_TAR_BLOCK + 100, "0004777", 8);
    bed_tar_seal(&tar);
    bed_tar_end(&tar);
    bed_assert_rc(unpack(f, &tar, 1, TAR, &err), 0);
    umask(mask);
    assert_int_equal(stat_of(bed_at(f->out, "run")).st_mode & 07777, 0755);
    mlr_buf_done(&tar);
}

/* ---- names and kinds that are refused before anything is written ---- */

/* A good file, then this one. */
static int unpack_with(fixture *f, char type, const char *name, const char *link, mlreg_error **err)
{
    mlr_buf tar = BED_TAR_INIT;
    int rc;

    bed_tar_file(&tar, "good", "good", 4);
    bed_tar_header(&tar, type, name, link, type == '0' ? 4 : 0);
    if (type == '0')
        bed_tar_body(&tar, "evil", 4);
    bed_tar_end(&tar);
    rc = unpack(f, &tar, 1, TAR, err);
    mlr_buf_done(&tar);
    return rc;
}

static void test_unpack__refuses_hostile_names_before_it_writes(void **state)
{
    static const char *const names[] = { "../x", "/etc/x", "a\\..\\b", "a/../../x", "..", "a//b", "C:\\x", "nul", "a\tb", "\xff" }, *const clashing[] = { "good", "GOOD", "good/below" };
    fixture *f = *state;

    for (int dir = 0; dir <= 1; dir++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            mlreg_error *why = NULL;

            assert_int_equal(unpack_with(f, dir ? '5' : '0', names[i], NULL, &why), MLREG_EINVAL);
            assert_string_equal(why->place, "the source");
            mlr_error_done(why);
            assert_nothing(f);
        }
    for (size_t i = 0; i < 3; i++) {
        bed_assert_rc(unpack_with(f, i == 0 ? '5' : '0', clashing[i], NULL, &err), MLREG_EINVAL);
        assert_nothing(f);
    }
}

static void test_unpack__refuses_links_and_devices(void **state)
{
    static const struct { char type; const char *link; } members[] = { { '2', "../../x" }, { '2', "good" }, { '1', "good" }, { '3', NULL }, { '4', NULL }, { '6', NULL } };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        mlreg_error *why = NULL;

        assert_int_equal(unpack_with(f, members[i].type, "odd", members[i].link, &why), MLREG_EDENIED);
        assert_non_null(why->hint);
        assert_string_equal(why->subject, "odd");
        mlr_error_done(why);
        assert_nothing(f);
    }
}

static void test_unpack__refuses_what_removes_files_of_other_layers(void **state)
{
    fixture *f = *state;

    bed_assert_rc(unpack_with(f, '0', "dir/.wh.gone", NULL, &err), MLREG_ENOTSUP);
    assert_nothing(f);
    bed_assert_rc(unpack_with(f, '0', ".wh..wh..opq", NULL, &err), MLREG_ENOTSUP);
    assert_nothing(f);
}

static void test_unpack__refuses_two_layers_with_one_file(void **state)
{
    fixture *f = *state;
    mlr_buf both[2] = { sample(), sample() };
    bed_layer layers[] = { layer_of(TAR, &both[0]), { .title = "CONFIG.json", .data = "{}" } };
    mlr_manifest *m = bed_manifest(f->place, REPO, layers, 2, NULL);

    bed_tar_bytes(&both[1], "", 1); /* another digest */
    bed_assert_rc(unpack(f, both, 2, TAR, &err), MLREG_EINVAL);
    assert_nothing(f);
    bed_assert_rc(check_out(f, m, NULL, NULL, &err), MLREG_EINVAL);
    assert_nothing(f);
    mlr_manifest_free(m);
    mlr_buf_done(&both[0]);
    mlr_buf_done(&both[1]);
}

static void test_unpack__writes_through_no_link(void **state)
{
    fixture *f = *state;

    assert_int_equal(mkdir(f->out, 0755), 0);
    assert_int_equal(symlink("..", bed_at(f->out, "sub")), 0);
    bed_assert_rc(unpack_with(f, '0', "sub/x", NULL, &err), MLREG_EDENIED);
    unlink(bed_at(f->out, "sub"));
    assert_int_equal(symlink("../x", bed_at(f->out, "y")), 0);
    bed_assert_rc(unpack_with(f, '0', "y", NULL, &err), MLREG_EDENIED);
    assert_true(S_ISLNK(stat_of(bed_at(f->out, "y")).st_mode));
    assert_int_equal(symlink("..", bed_at(f->out, "dir")), 0);
    bed_assert_rc(unpack_with(f, '5', "dir/new", NULL, &err), MLREG_EDENIED);
    assert_false(bed_exists(bed_at(f->dir, "new")));
}

/* ---- bytes that are refused ---- */

static void test_unpack__of_a_bomb_writes_nothing(void **state)
{
    fixture *f = *state;
    mlr_buf tar = BED_TAR_INIT, packed = BED_TAR_INIT;

    bed_tar_file(&tar, "good", "good", 4);
    bed_tar_header(&tar, '0', "bomb", NULL, (uint64_t)300 << 20);
    bed_compress(&packed, "zstd", tar.data, tar.len);
    bed_compress_zeros(&packed, "zstd", (uint64_t)300 << 20);
    bed_assert_rc(unpack(f, &packed, 1, ZSTD, &err), MLREG_ELIMIT);
    assert_nothing(f);
    mlr_buf_done(&tar);
    mlr_buf_done(&packed);
}

static void test_unpack__of_what_is_cut_off_or_no_archive_writes_nothing(void **state)
{
    fixture *f = *state;
    mlr_buf tar = sample(), packed = BED_TAR_INIT, junk = BED_TAR_INIT;

    bed_compress(&packed, "gzip", tar.data, tar.len);
    packed.len -= 10;
    bed_assert_rc(unpack(f, &packed, 1, GZIP, &err), MLREG_EPROTO);
    assert_nothing(f);
    tar.len = 3 * BED_TAR_BLOCK + 100; /* in the middle of a header */
    bed_assert_rc(unpack(f, &tar, 1, TAR, &err), MLREG_EPROTO);
    assert_nothing(f);
    for (int i = 0; i < 400; i++)
        bed_tar_bytes(&junk, "<html>", 6);
    bed_assert_rc(unpack(f, &junk, 1, TAR, &err), MLREG_EPROTO);
    assert_nothing(f);
    mlr_buf_done(&tar);
    mlr_buf_done(&packed);
    mlr_buf_done(&junk);
}

/* The bytes would be a bomb to any decoder: the digest comes first. */
static void test_unpack__checks_the_digest_before_it_decodes(void **state)
{
    fixture *f = *state;
    mlr_buf tar = sample();
    mlreg_error *why = NULL;

    mlr_digest_of(tar.data, tar.len, &f->odd->lie);
    assert_int_equal(unpack(f, &tar, 1, TAR, &why), MLREG_EDIGEST);
    assert_string_equal(why->place, "the source");
    mlr_error_done(why);
    assert_nothing(f);
    mlr_buf_done(&tar);
}

/* ---- failures on the way ---- */

static void test_unpack__cancelled_leaves_no_half_file(void **state)
{
    fixture *f = *state;
    char *data = bed_many_bytes(6u << 20, 5);
    mlr_buf tar = BED_TAR_INIT;
    bed_layer layer;
    mlr_manifest *m;

    bed_tar_file(&tar, "large", data, 6u << 20);
    bed_tar_end(&tar);
    layer = layer_of(TAR, &tar);
    m = bed_manifest(f->place, REPO, &layer, 1, NULL);
    for (int trusted = 0; trusted <= 1; trusted++) {
        bed_call c = bed_begin();

        f->odd->trusted = trusted;
        f->odd->on_read = cancel;
        f->odd->user = c.remote;
        bed_assert_rc(check_out(f, m, NULL, c.op, &err), MLREG_ECANCELLED);
        bed_end(&c);
        assert_nothing(f);
    }
    mlr_manifest_free(m);
    mlr_buf_done(&tar);
    free(data);
}

static void test_unpack__is_sound_whatever_file_call_fails(void **state)
{
    fixture *f = *state;
    mlr_buf tar = BED_TAR_INIT;

    bed_tar_file(&tar, "d/new", "NEW", 3);
    bed_tar_file(&tar, "old", "NEW", 3);
    bed_tar_end(&tar);
    for (int for_good = 0; for_good <= 1; for_good++)
        for (int n = 1, fired = 1; fired; n++) {
            mlreg_error *why = NULL;
            int rc;

            mkdir(f->out, 0755);
            unlink(bed_at(f->out, "d/new"));
            rmdir(bed_at(f->out, "d"));
            bed_write(bed_at(f->out, "old"), "OLD");
            fs_fault_arm(n, for_good, ENOSPC);
            rc = unpack(f, &tar, 1, TAR, &why);
            fired = fs_fault_disarm();
            assert_true(rc == MLREG_EIO || rc == 0);
            assert_int_equal(rc, mlreg_error_code(why));
            if (rc < 0)
                assert_null(strstr(why->message, "/proc/"));
            mlr_error_done(why);
            assert_true(is_old_or_new(bed_at(f->out, "d/new"), NULL, "NEW"));
            assert_true(is_old_or_new(bed_at(f->out, "old"), "OLD", "NEW"));
            assert_in_range(bed_count_files(f->out), 1, 2);
        }
    mlr_buf_done(&tar);
}

static void test_unpack__is_clean_without_memory(void **state)
{
    fixture *f = *state;
    mlr_buf tar = sample();
    bed_layer layer = layer_of(TAR, &tar);
    mlr_manifest *m = bed_manifest(f->place, REPO, &layer, 1, NULL);
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
        assert_true(rc == MLREG_ENOMEM || rc == 0);
        assert_int_equal(rc, mlreg_error_code(why));
        mlr_error_done(why);
        if (rc == 0)
            assert_sample(f);
    }
    f->odd->place.rt = shared;
    mlr_runtime_unref(inline_rt);
    mlr_manifest_free(m);
    mlr_buf_done(&tar);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_unpack__takes_tar_gzip_and_zstd),
        TEST(test_unpack__of_many_small_files_syncs_few_times),
        TEST(test_unpack__of_a_titled_image_layer_is_a_plain_file),
        TEST(test_unpack__does_what_oras_marked),
        TEST(test_unpack__beside_files_and_other_archives),
        TEST(test_unpack__leaves_files_alone_that_are_right),
        TEST(test_unpack__chooses_by_patterns),
        TEST(test_unpack__takes_over_who_may_be_executed_and_no_more),
        TEST(test_unpack__refuses_hostile_names_before_it_writes),
        TEST(test_unpack__refuses_links_and_devices),
        TEST(test_unpack__refuses_what_removes_files_of_other_layers),
        TEST(test_unpack__refuses_two_layers_with_one_file),
        TEST(test_unpack__writes_through_no_link),
        TEST(test_unpack__of_a_bomb_writes_nothing),
        TEST(test_unpack__of_what_is_cut_off_or_no_archive_writes_nothing),
        TEST(test_unpack__checks_the_digest_before_it_decodes),
        TEST(test_unpack__cancelled_leaves_no_half_file),
        TEST(test_unpack__is_sound_whatever_file_call_fails),
        TEST(test_unpack__is_clean_without_memory),
    };
    return cmocka_run_group_tests_name("model/unpack", tests, NULL, NULL);
}
