/* tests/model/test_rootfs.c - an image's layers over each other, and everything that evil ones try. */
#include "model/rootfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <cmocka.h>

#include "bed/fs_fault.h"
#include "image_bed.h"
#include "model/rootfs_parts.h"
#include "place/absent.h"

static int unpack_path(fixture *f, image *i, const char *path, mlreg_error **err)
{
    const mlr_rootfs how = { .path = path, .owners = false };
    mlr_manifest *m = make(f, i);
    int rc = mlr_rootfs_unpack(&f->odd->place, REPO, m, f->out, &how, NULL, err);

    mlr_manifest_free(m);
    done(i);
    return rc;
}

static int unpack(fixture *f, image *i, mlreg_error **err)
{
    return unpack_path(f, i, NULL, err);
}

/* Fails with that code, with a hint or subject, and leaves nothing: neither the folder nor anything beside it (tear_down looks). */
static void refused(fixture *f, image *i, int want, const char *says)
{
    mlreg_error *err = NULL;
    int rc = unpack(f, i, &err);

    if (rc != want)
        fail_msg("gave %d (%s), not %d", rc, err != NULL ? err->message : "no error", want);
    assert_non_null(strstr(err->message, says));
    assert_false(bed_exists(f->out));
    mlr_error_done(err);
}

/* ---- layers over each other ---- */

static void base_layer(image *i)
{
    mlr_buf *t = layer(i);

    folder(t, "./");
    folder(t, "etc/");
    file(t, "etc/a", "a1");
    file(t, "etc/b", "b1");
    folder(t, "data/");
    file(t, "data/old", "old");
    folder(t, "data/sub/");
    file(t, "data/sub/deep", "deep");
    folder(t, "usr/");
    folder(t, "usr/bin/");
    entry(t, '2', "bin", "usr/bin", 0777);
    entry(t, '1', "etc/hard", "etc/a", 0644);
    bed_tar_end(t);
}

static void test_rootfs__lays_layers_over_each_other_in_every_packing(void **state)
{
    static const char *const types[] = { MLR_TYPE_LAYER_TAR, GZIP, MLR_TYPE_LAYER_TAR "+zstd", DOCKER };
    fixture *f = *state;

    for (size_t k = 0; k < 2 * sizeof types / sizeof *types; k++) {
        image i = { .type = types[k / 2], .config_type = k / 2 == 3 ? MLR_TYPE_DOCKER_IMAGE_CONFIG : NULL };
        mlr_buf *t;

        f->odd->trusted = k % 2;
        base_layer(&i);
        t = layer(&i);
        file(t, "etc/a", "a2");
        file(t, "etc/.wh.b", "");
        file(t, "bin/tool", "through the link");
        bed_tar_end(t);
        bed_assert_rc(unpack(f, &i, &err), 0);
        bed_assert_file(bed_at(f->out, "etc/a"), "a2");
        bed_assert_file(bed_at(f->out, "etc/hard"), "a1");       /* the other name keeps what it had */
        assert_false(bed_exists(bed_at(f->out, "etc/b")));
        assert_false(bed_exists(bed_at(f->out, "etc/.wh.b")));
        bed_assert_file(bed_at(f->out, "usr/bin/tool"), "through the link");
        assert_true(S_ISLNK(stat_of(bed_at(f->out, "bin")).st_mode));
        assert_int_equal(stat_of(f->out).st_mode & 07777, 0755);
        bed_dir_remove(strdup(f->out));
    }
}

static void test_rootfs__opaque_folders_lose_only_what_lies_below(void **state)
{
    fixture *f = *state;

    for (int late = 0; late <= 1; late++) {        /* the mark may stand before what the layer itself brings, or behind */
        image i = { 0 };
        mlr_buf *t;

        base_layer(&i);
        t = layer(&i);
        folder(t, "data/");
        if (!late)
            file(t, "data/.wh..wh..opq", "");
        file(t, "data/new", "new");
        folder(t, "data/sub/");
        file(t, "data/sub/mine", "mine");
        if (late)
            file(t, "data/.wh..wh..opq", "");
        bed_tar_end(t);
        bed_assert_rc(unpack(f, &i, &err), 0);
        bed_assert_file(bed_at(f->out, "data/new"), "new");
        bed_assert_file(bed_at(f->out, "data/sub/mine"), "mine");
        assert_false(bed_exists(bed_at(f->out, "data/old")));
        assert_false(bed_exists(bed_at(f->out, "data/sub/deep")));
        assert_false(bed_exists(bed_at(f->out, "data/.wh..wh..opq")));
        bed_dir_remove(strdup(f->out));
    }
}

static int count_lists(mlr_fs_call call, const char *name, void *user)
{
    *(int *)user += call == MLR_FS_LIST && strstr(name, ".wh.") != NULL;
    return 0;
}

/* Else a layer that says so a million times of a large folder of its own takes days. */
static void test_rootfs__what_was_removed_is_not_looked_for_again(void **state)
{
    static const char *const marks[] = { "data/.wh..wh..opq", ".wh.data" };
    fixture *f = *state;

    for (size_t k = 0; k < 2; k++) {
        int lists[2] = { 0, 0 };

        for (int often = 0; often < 2; often++) {
            image i = { 0 };
            mlr_buf *t = layer(&i);

            folder(t, "data/");
            file(t, "data/own", "own");
            for (int n = 0; n < (often ? 10 : 1); n++)
                file(t, marks[k], "");
            bed_tar_end(t);
            mlr_fs_use(count_lists, &lists[often]);
            bed_assert_rc(unpack(f, &i, &err), 0);
            mlr_fs_use(NULL, NULL);
            bed_assert_file(bed_at(f->out, "data/own"), "own");
            bed_dir_remove(strdup(f->out));
        }
        assert_true(lists[0] > 0);
        assert_int_equal(lists[1], lists[0]);
    }
}

static void test_rootfs__a_name_changes_its_type_from_layer_to_layer(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t;

    base_layer(&i);
    t = layer(&i);
    file(t, "data", "a file now");
    entry(t, '2', "etc", "usr", 0777);
    file(t, ".wh.nothing", "");
    bed_tar_end(t);
    t = layer(&i);
    folder(t, "bin/");
    file(t, "bin/x", "x");
    bed_tar_end(t);
    bed_assert_rc(unpack(f, &i, &err), 0);
    bed_assert_file(bed_at(f->out, "data"), "a file now");
    assert_true(S_ISLNK(stat_of(bed_at(f->out, "etc")).st_mode));
    assert_true(S_ISDIR(stat_of(bed_at(f->out, "bin")).st_mode));
    assert_false(bed_exists(bed_at(f->out, "usr/bin/x")));
}

static void test_rootfs__modes_and_times_are_the_image_s_but_for_set_uid(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);

    entry(t, '5', "closed/", NULL, 0555);
    entry(t, '0', "closed/su", NULL, 04755);
    entry(t, '0', "closed/secret", NULL, 0600);
    entry(t, '5', "tmp/", NULL, 01777);
    entry(t, '6', "pipe", NULL, 0640);
    bed_tar_end(t);
    t = layer(&i);
    file(t, "closed/later", "x");          /* into a folder that is closed in the end */
    bed_tar_end(t);
    bed_assert_rc(unpack(f, &i, &err), 0);
    assert_int_equal(stat_of(bed_at(f->out, "closed")).st_mode & 07777, 0555);
    assert_int_equal(stat_of(bed_at(f->out, "closed")).st_mtime, 1700000000);
    assert_int_equal(stat_of(bed_at(f->out, "closed/su")).st_mode & 07777, 0755);
    assert_int_equal(stat_of(bed_at(f->out, "closed/secret")).st_mode & 07777, 0600);
    assert_int_equal(stat_of(bed_at(f->out, "closed/secret")).st_mtime, 1700000000);
    assert_int_equal(stat_of(bed_at(f->out, "tmp")).st_mode & 07777, 01777);
    assert_true(S_ISFIFO(stat_of(bed_at(f->out, "pipe")).st_mode));
    chmod(bed_at(f->out, "closed"), 0755);
}

static void test_rootfs__of_a_folder_with_two_names_the_last_word_counts(void **state)
{
    static const char *const names[][2] = { { "usr/lib/d/", "lib/d/" }, { "lib/d/", "usr/lib/d/" } };
    fixture *f = *state;

    for (size_t k = 0; k < 2; k++) {
        image i = { 0 };
        mlr_buf *t = layer(&i);

        folder(t, "usr/lib/");
        entry(t, '2', "lib", "usr/lib", 0777);
        entry(t, '5', names[k][0], NULL, 0700);
        file(t, "usr/lib/d/f", "x");
        bed_tar_end(t);
        t = layer(&i);
        entry(t, '5', names[k][1], NULL, 0751);
        bed_tar_end(t);
        bed_assert_rc(unpack(f, &i, &err), 0);
        assert_int_equal(stat_of(bed_at(f->out, "usr/lib/d")).st_mode & 07777, 0751);
        bed_dir_remove(strdup(f->out));
    }
}

/* ---- a part ---- */

static void test_rootfs__takes_only_what_lies_at_a_path(void **state)
{
    static const char *const paths[] = { "/data", "data/", "./data" };
    fixture *f = *state;

    for (size_t k = 0; k < 3; k++) {
        image i = { 0 };
        mlr_buf *t;

        base_layer(&i);
        t = layer(&i);
        file(t, "data/.wh.old", "");
        file(t, "data/new", "new");
        file(t, "database", "no");
        bed_tar_end(t);
        bed_assert_rc(unpack_path(f, &i, paths[k], &err), 0);
        bed_assert_file(bed_at(f->out, "new"), "new");
        bed_assert_file(bed_at(f->out, "sub/deep"), "deep");
        assert_int_equal(bed_count(f->out), 2);
        bed_dir_remove(strdup(f->out));
    }
}

static void test_rootfs__takes_one_file_and_says_what_is_not_there(void **state)
{
    fixture *f = *state;
    image one = { 0 }, gone = { 0 }, dotted = { 0 };
    mlr_buf *t;

    base_layer(&one);
    bed_assert_rc(unpack_path(f, &one, "/data/sub/deep", &err), 0);
    bed_assert_file(bed_at(f->out, "deep"), "deep");
    assert_int_equal(bed_count(f->out), 1);
    bed_dir_remove(strdup(f->out));
    base_layer(&gone);
    t = layer(&gone);
    file(t, ".wh.data", "");               /* what holds the path goes */
    bed_tar_end(t);
    bed_assert_rc(unpack_path(f, &gone, "/data/sub", NULL), MLREG_ENOTFOUND);
    base_layer(&dotted);
    bed_assert_rc(unpack_path(f, &dotted, "../data", NULL), MLREG_EINVAL);
    assert_false(bed_exists(f->out));
}

/* ---- evil ---- */

/* B1, B2: each way out of the folder leads nowhere, or back into it. */
static void test_rootfs__nothing_leads_out_of_the_folder(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);
    char absolute[BED_PATH_MAX];

    snprintf(absolute, sizeof absolute, "%.90s", f->dir);
    entry(t, '2', "abs", absolute, 0777);          /* to the folder with the sentinels */
    entry(t, '2', "up", "../../../../../..", 0777);
    entry(t, '2', "chain1", "up", 0777);
    entry(t, '2', "chain2", "chain1/chain1", 0777);
    file(t, "abs/x", "evil");
    file(t, "up/b", "evil");
    file(t, "chain2/c", "evil");
    file(t, "/rooted", "in the root");
    file(t, "./a/./b//c", "dots");
    entry(t, '2', "x2", "/etc/passwd", 0777);
    file(t, "x2", "replaces the link");
    bed_tar_end(t);
    t = layer(&i);
    file(t, "abs/.wh.b", "");
    file(t, "up/.wh.b", "");                       /* the sentinel "b" lies outside; this is ours */
    bed_tar_end(t);
    bed_assert_rc(unpack(f, &i, &err), 0);
    bed_assert_file(bed_at(f->out, "rooted"), "in the root");
    bed_assert_file(bed_at(f->out, "a/b/c"), "dots");
    bed_assert_file(bed_at(f->out, "c"), "evil");
    bed_assert_file(bed_at(f->out, "x2"), "replaces the link");
    assert_false(bed_exists(bed_at(f->out, "b")));
}

static void one_entry(image *i, char type, const char *name, const char *link)
{
    mlr_buf *t = layer(i);

    entry(t, type, name, link, 0644);
    bed_tar_end(t);
}

static void test_rootfs__refuses_names_and_links_that_lead_elsewhere(void **state)
{
    static const struct { char type; const char *name, *link; int rc; const char *says; } cases[] = {
        { '0', "../x", NULL, MLREG_EINVAL, "\"..\"" },
        { '0', "a/../../x", NULL, MLREG_EINVAL, "\"..\"" },
        { '5', "..", NULL, MLREG_EINVAL, "\"..\"" },
        { '1', "hard", "../x", MLREG_EINVAL, "\"..\"" },
        { '1', "hard", "/etc/passwd", MLREG_EPROTO, "hard link" },
        { '1', "hard", "missing", MLREG_EPROTO, "hard link" },
        { '0', ".wh...", NULL, MLREG_EPROTO, "removes no name" },
        { '0', ".wh..", NULL, MLREG_EPROTO, "removes no name" },
        { '0', "d/.wh.", NULL, MLREG_EPROTO, "removes no name" },
    };
    fixture *f = *state;

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        image i = { 0 };

        one_entry(&i, cases[k].type, cases[k].name, cases[k].link);
        refused(f, &i, cases[k].rc, cases[k].says);
    }
}

static void test_rootfs__refuses_links_without_end_and_files_as_folders(void **state)
{
    fixture *f = *state;
    image loop = { 0 }, through = { 0 };
    mlr_buf *t = layer(&loop);

    entry(t, '2', "a", "b", 0777);
    entry(t, '2', "b", "a", 0777);
    file(t, "a/x", "x");
    bed_tar_end(t);
    refused(f, &loop, MLREG_EPROTO, "links");
    t = layer(&through);
    file(t, "file", "x");
    file(t, "file/below", "x");
    bed_tar_end(t);
    refused(f, &through, MLREG_EPROTO, "no folder");
}

static void test_rootfs__refuses_depth_without_end(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);
    char name[2 * 300 + 1] = "";

    for (int k = 0; k < 300; k++)
        strcat(name, "d/");
    bed_tar_pax(t, 'x', "path", name);
    folder(t, "short");
    bed_tar_end(t);
    refused(f, &i, MLREG_ELIMIT, "too deep");
}

static void test_rootfs__leaves_devices_out(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t = layer(&i);

    entry(t, '3', "dev/mem", NULL, 0666);
    entry(t, '4', "dev/sda", NULL, 0666);
    file(t, "kept", "x");
    bed_tar_end(t);
    bed_assert_rc(unpack(f, &i, &err), 0);
    assert_int_equal(bed_count_files(f->out), 1);
}

/* A few megabytes may make two million folders whose names have 4,096 bytes each. */
static void test_rootfs__refuses_folders_whose_names_are_too_much_together(void **state)
{
    const mlr_inside_marks marks = { 0 };
    mlr_rootfs_notes notes = { 0 };
    char path[MLR_BENEATH_PATH_MAX_BYTES];
    int rc = 0;

    (void)state;
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    for (uint64_t i = 0; i < 70000 && rc == 0; i++)
        rc = mlr_rootfs_note_add(&notes, path, i, &marks, NULL);
    assert_int_equal(rc, MLREG_ELIMIT);
    mlr_rootfs_notes_done(&notes);
}

/* C1 */
static void test_rootfs__refuses_bombs(void **state)
{
    fixture *f = *state;
    image i = { .type = GZIP };
    mlr_buf *t = layer(&i);
    char *zeros = calloc(1, 200u << 20);

    bed_tar_header(t, '0', "bomb", NULL, 200u << 20);
    bed_tar_body(t, zeros, 200u << 20);
    bed_tar_end(t);
    refused(f, &i, MLREG_ELIMIT, "times its size");
    free(zeros);
}

/* ---- as few layers as will do ---- */

static void lowest(image *i)
{
    mlr_buf *t = layer(i);

    folder(t, "opt/");
    file(t, "opt/tool", "old");
    file(t, "opt/other", "other");
    file(t, "opt/deep/a", "a");
    bed_tar_end(t);
}

/* Unpacks what is at /opt/tool, or at `path`; gives how many layers were opened for it: the config is opened as well. */
static int opened_for(fixture *f, image *i, const char *path, int want)
{
    int before = f->odd->opens;

    bed_assert_rc(unpack_path(f, i, path, &err), want);
    return f->odd->opens - before - 1;
}

static void test_rootfs__a_file_or_link_decides_what_is_at_its_path(void **state)
{
    fixture *f = *state;

    for (int link = 0; link < 2; link++) {
        image i = { 0 };
        mlr_buf *t;

        lowest(&i);
        t = layer(&i);
        if (link)
            entry(t, '2', "opt/tool", "other", 0777);
        else
            file(t, "opt/tool", "new");
        bed_tar_end(t);
        t = layer(&i);
        file(t, "opt/unrelated", "x");
        bed_tar_end(t);
        assert_int_equal(opened_for(f, &i, "/opt/tool", 0), 2);
        if (!link)
            bed_assert_file(bed_at(f->out, "tool"), "new");
        assert_int_equal(unlink(bed_at(f->out, "tool")), 0);
        assert_int_equal(rmdir(f->out), 0);
    }
}

static void test_rootfs__what_is_removed_or_replaced_on_the_way_is_decided_too(void **state)
{
    static const char *const removals[] = { "opt/.wh.tool", ".wh.opt", "opt/.wh..wh..opq", ".wh..wh..opq", "opt" };
    fixture *f = *state;

    for (size_t k = 0; k < sizeof removals / sizeof *removals; k++) {
        image i = { 0 };
        mlr_buf *t;

        lowest(&i);
        t = layer(&i);
        file(t, removals[k], "");
        bed_tar_end(t);
        assert_int_equal(opened_for(f, &i, "/opt/tool", MLREG_ENOTFOUND), 1);
        assert_false(bed_exists(f->out));
    }
}

static void test_rootfs__a_folder_is_decided_where_it_hides_what_was_in_it(void **state)
{
    fixture *f = *state;

    for (int opaque = 0; opaque < 2; opaque++) {
        image i = { 0 };
        mlr_buf *t;

        lowest(&i);
        t = layer(&i);
        folder(t, "opt/");
        file(t, "opt/new", "new");
        if (opaque)
            file(t, "opt/.wh..wh..opq", "");
        bed_tar_end(t);
        assert_int_equal(opened_for(f, &i, "/opt", 0), opaque ? 1 : 2);
        assert_int_equal(bed_count_files(f->out), opaque ? 1 : 4);
        bed_dir_remove(strdup(f->out));
    }
}

/* A hard link may lead to a file of an earlier layer, a device is left out: neither decides anything. */
static void test_rootfs__hard_links_and_devices_decide_nothing(void **state)
{
    fixture *f = *state;
    image linked = { 0 }, device = { 0 };
    mlr_buf *t;

    lowest(&linked);
    t = layer(&linked);
    folder(t, "opt/");
    entry(t, '1', "opt/second", "opt/tool", 0644);
    file(t, "opt/.wh..wh..opq", "");
    bed_tar_end(t);
    assert_int_equal(opened_for(f, &linked, "/opt", 0), 2);
    bed_assert_file(bed_at(f->out, "second"), "old");
    bed_dir_remove(strdup(f->out));
    lowest(&device);
    t = layer(&device);
    entry(t, '3', "opt/tool", NULL, 0666);
    bed_tar_end(t);
    assert_int_equal(opened_for(f, &device, "/opt/tool", 0), 2);
    bed_assert_file(bed_at(f->out, "tool"), "old");
}

static void test_rootfs__takes_only_the_layers_that_are_listed(void **state)
{
    fixture *f = *state;
    image i = { 0 };
    mlr_buf *t;
    mlr_manifest *m;
    mlreg_error *why = NULL;
    const char *digest;
    mlr_rootfs how = { .layers = &digest, .n_layers = 1 };
    int before;

    lowest(&i);
    t = layer(&i);
    file(t, "opt/tool", "new");
    bed_tar_end(t);
    m = make(f, &i);
    digest = m->layers[0].digest.text;
    before = f->odd->opens;
    bed_assert_rc(mlr_rootfs_unpack(&f->odd->place, REPO, m, f->out, &how, NULL, &err), 0);
    assert_int_equal(f->odd->opens - before, 2);
    bed_assert_file(bed_at(f->out, "opt/tool"), "old");
    bed_dir_remove(strdup(f->out));
    digest = BED_EMPTY;
    assert_int_equal(mlr_rootfs_unpack(&f->odd->place, REPO, m, f->out, &how, NULL, &why), MLREG_EINVAL);
    assert_non_null(strstr(why->message, BED_EMPTY));
    mlr_error_done(why);
    mlr_manifest_free(m);
    done(&i);
}

/* ---- lies ---- */

static void test_rootfs__checks_what_layers_unpack_to(void **state)
{
    fixture *f = *state;
    image wrong = { .diff_id = BED_EMPTY }, more = { .diff_ids = 3 }, none = { .diff_id = "sha256:x" };

    base_layer(&wrong);
    refused(f, &wrong, MLREG_EDIGEST, "unpacks to");
    base_layer(&more);
    refused(f, &more, MLREG_EPROTO, "it names 3 of them, the manifest 1");
    base_layer(&none);
    refused(f, &none, MLREG_EPROTO, "no digest");
}

static void test_rootfs__is_of_images_only(void **state)
{
    fixture *f = *state;
    image model = { .config_type = "application/vnd.cncf.model.config.v1+json" }, odd = { .type = "application/x-disk" };

    base_layer(&model);
    refused(f, &model, MLREG_ENOTSUP, "no image");
    base_layer(&odd);
    refused(f, &odd, MLREG_ENOTSUP, "no image");
}

/* ---- from elsewhere ---- */

#define FOREIGN "application/vnd.oci.image.layer.nondistributable.v1.tar"

static mlr_manifest *put_foreign(fixture *f, mlr_place *p, mlr_place *elsewhere, const char *location)
{
    image i = { 0 };
    mlr_absent where = { (char *)location, (char *)REPO, NULL };
    mlr_blob config, b;
    mlr_buf json = MLR_BUF_INIT(4096);
    mlr_place *memory = f->place;
    mlr_manifest *m;

    file(layer(&i), "etc/a", "a1");
    bed_tar_end(&i.tars[0]);
    f->place = p;
    config = put_config(f, &i);
    f->place = memory;
    b = bed_blob(REPO, i.tars[0].data, i.tars[0].len);
    bed_assert_rc(bed_try_put(elsewhere, &b, i.tars[0].data, i.tars[0].len, &err), 0);
    bed_assert_rc(mlr_absent_note(p, &b, &where, &err), 0);
    mlr_buf_printf(&json, NULL, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"config\":{\"mediaType\":\"" MLR_TYPE_IMAGE_CONFIG
        "\",\"digest\":\"%s\",\"size\":%llu},\"layers\":[{\"mediaType\":\"" FOREIGN "\",\"digest\":\"%s\",\"size\":%llu,\"urls\":[\"https://192.0.2.1/x\"]}]}",
        config.digest.text, (unsigned long long)config.bytes, b.digest.text, (unsigned long long)b.bytes);
    m = bed_parse(json.data);
    mlr_buf_done(&json);
    done(&i);
    return m;
}

/* A place on this machine gives bytes that are verified already, but it closes before they are read. */
static void test_rootfs__a_foreign_layer_may_lie_in_another_store(void **state)
{
    const mlr_rootfs how = { .foreign = true };
    fixture *f = *state;
    char *dir = bed_dir_new(), *other = strdup(bed_at(dir, "other"));
    mlr_place *store = bed_open(bed_at(dir, "store"), MLREG_OPEN_CREATE, f->rt), *elsewhere = bed_open(other, MLREG_OPEN_CREATE, f->rt);
    mlr_manifest *m = put_foreign(f, store, elsewhere, other);

    bed_assert_rc(mlr_rootfs_unpack(store, REPO, m, f->out, &how, NULL, &err), 0);
    bed_assert_file(bed_at(f->out, "etc/a"), "a1");
    mlr_manifest_free(m);
    mlr_place_close(store);
    mlr_place_close(elsewhere);
    free(other);
    bed_dir_remove(dir);
}

/* ---- the folder ---- */

static void test_rootfs__takes_an_empty_folder_and_refuses_a_full_one(void **state)
{
    fixture *f = *state;
    image first = { 0 }, second = { 0 };

    assert_int_equal(mkdir(f->out, 0755), 0);
    base_layer(&first);
    bed_assert_rc(unpack(f, &first, &err), 0);
    bed_assert_file(bed_at(f->out, "etc/a"), "a1");
    base_layer(&second);
    bed_assert_rc(unpack(f, &second, NULL), MLREG_EEXISTS);
    bed_assert_file(bed_at(f->out, "etc/a"), "a1");
}

static void test_rootfs__refuses_what_is_no_folder(void **state)
{
    fixture *f = *state;
    image a = { 0 }, b = { 0 };

    bed_write(f->out, "mine");
    base_layer(&a);
    bed_assert_rc(unpack(f, &a, NULL), MLREG_EEXISTS);
    bed_assert_file(f->out, "mine");
    assert_int_equal(unlink(f->out), 0);
    assert_int_equal(symlink(".", f->out), 0);
    base_layer(&b);
    bed_assert_rc(unpack(f, &b, NULL), MLREG_EEXISTS);
    assert_int_equal(unlink(f->out), 0);
}

/* A killed process holds no lock any more; one that lives does, and a folder of that name that is still being made is nobody's business. */
static void test_rootfs__removes_what_a_dead_process_left_and_nothing_else(void **state)
{
    static const char *const kept[] = { ".mlreg-unpack-living", ".mlreg-fresh-now", ".tmp-of-others" };
    fixture *f = *state;
    image i = { 0 };
    int living;

    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
        assert_int_equal(mkdir(bed_at(f->dir, kept[k]), 0700), 0);
    assert_int_equal(mkdir(bed_at(f->dir, ".mlreg-unpack-dead"), 0700), 0);
    assert_int_equal(mkdir(bed_at(f->dir, ".mlreg-unpack-dead/etc"), 0700), 0);
    bed_write(bed_at(f->dir, ".mlreg-unpack-dead/etc/a"), "half");
    bed_write(bed_at(f->dir, ".mlreg-unpack-file"), "no folder");
    assert_true((living = open(bed_at(f->dir, kept[0]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
    assert_int_equal(flock(living, LOCK_EX | LOCK_NB), 0);
    base_layer(&i);
    bed_assert_rc(unpack(f, &i, &err), 0);
    assert_false(bed_exists(bed_at(f->dir, ".mlreg-unpack-dead")));
    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
        assert_int_equal(rmdir(bed_at(f->dir, kept[k])), 0);
    assert_int_equal(unlink(bed_at(f->dir, ".mlreg-unpack-file")), 0);
    close(living);
}

static int fail_sync(mlr_fs_call call, const char *name, void *user)
{
    (void)name;
    return call == *(mlr_fs_call *)user ? EIO : 0;
}

struct failing { mlr_fs_call call; int skip; };

static int fail_later(mlr_fs_call call, const char *name, void *user)
{
    struct failing *x = user;

    (void)name;
    return call == x->call && x->skip-- <= 0 ? EIO : 0;
}

static void test_rootfs__leaves_nothing_when_the_disk_fails(void **state)
{
    static const mlr_fs_call calls[] = { MLR_FS_RENAME, MLR_FS_WRITE, MLR_FS_LINK };
    fixture *f = *state;

    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        image i = { 0 };
        mlr_fs_call call = calls[k];
        mlreg_error *err = NULL;
        mlr_manifest *m;
        const mlr_rootfs how = { 0 };

        base_layer(&i);
        m = make(f, &i);
        mlr_fs_use(fail_sync, &call);
        assert_int_equal(mlr_rootfs_unpack(&f->odd->place, REPO, m, f->out, &how, NULL, &err), MLREG_EIO);
        mlr_fs_use(NULL, NULL);
        assert_false(bed_exists(f->out));
        mlr_error_done(err);
        mlr_manifest_free(m);
        done(&i);
    }
}

static void test_rootfs__a_disk_that_fails_is_not_taken_for_a_mount_point(void **state)
{
    fixture *f = *state;

    for (int renames = 0; renames < 2; renames++) {
        image i = { 0 };
        struct failing x = { renames ? MLR_FS_RENAME : MLR_FS_SYNC, renames };    /* the first gives the folder its temporary name */
        mlreg_error *err = NULL;
        mlr_manifest *m;
        const mlr_rootfs how = { 0 };

        base_layer(&i);
        m = make(f, &i);
        mlr_fs_use(fail_later, &x);
        assert_int_equal(mlr_rootfs_unpack(&f->odd->place, REPO, m, f->out, &how, NULL, &err), MLREG_EIO);
        mlr_fs_use(NULL, NULL);
        assert_int_equal(err->hint != NULL && strstr(err->hint, "mount point") != NULL, renames);
        mlr_error_done(err);
        mlr_manifest_free(m);
        done(&i);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_rootfs__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lays_layers_over_each_other_in_every_packing),
        TEST(opaque_folders_lose_only_what_lies_below),
        TEST(what_was_removed_is_not_looked_for_again),
        TEST(a_name_changes_its_type_from_layer_to_layer),
        TEST(modes_and_times_are_the_image_s_but_for_set_uid),
        TEST(of_a_folder_with_two_names_the_last_word_counts),
        TEST(takes_only_what_lies_at_a_path),
        TEST(takes_one_file_and_says_what_is_not_there),
        TEST(nothing_leads_out_of_the_folder),
        TEST(refuses_names_and_links_that_lead_elsewhere),
        TEST(refuses_links_without_end_and_files_as_folders),
        TEST(refuses_depth_without_end),
        TEST(refuses_folders_whose_names_are_too_much_together),
        TEST(leaves_devices_out),
        TEST(refuses_bombs),
        TEST(checks_what_layers_unpack_to),
        TEST(is_of_images_only),
        TEST(a_foreign_layer_may_lie_in_another_store),
        TEST(takes_an_empty_folder_and_refuses_a_full_one),
        TEST(refuses_what_is_no_folder),
        TEST(removes_what_a_dead_process_left_and_nothing_else),
        TEST(a_file_or_link_decides_what_is_at_its_path),
        TEST(what_is_removed_or_replaced_on_the_way_is_decided_too),
        TEST(a_folder_is_decided_where_it_hides_what_was_in_it),
        TEST(hard_links_and_devices_decide_nothing),
        TEST(takes_only_the_layers_that_are_listed),
        TEST(leaves_nothing_when_the_disk_fails),
        TEST(a_disk_that_fails_is_not_taken_for_a_mount_point),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
