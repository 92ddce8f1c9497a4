/* tests/model/test_variant.c - which entry of an index a machine gets, and what is said where it gets none. */
#include "model/variant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model_bed.h"

/* ---- indexes of a few words ---- */

#define A "io.github.libmlreg.variant."
#define NAME(n) "\"" A "name\":\"" n "\""
#define NOTE(k, v) ",\"" A k "\":\"" v "\""

typedef struct entry { const char *platform, *notes, *more; } entry;

/* The i-th entry has the digest of the text "i". */
static mlr_manifest *index_of(const entry *e, size_t n)
{
    mlr_buf json = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_manifest *m;

    assert_int_equal(mlr_buf_puts(&json, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[", NULL), 0);
    for (size_t i = 0; i < n; i++) {
        char text[24], os[32] = "", arch[32] = "", variant[32] = "";
        mlr_digest d;

        snprintf(text, sizeof text, "%zu", i);
        mlr_digest_of(text, strlen(text), &d);
        mlr_buf_printf(&json, NULL, "%s{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"digest\":\"%s\",\"size\":10", i > 0 ? "," : "", d.text);
        if (e[i].platform != NULL && sscanf(e[i].platform, "%31[^/]/%31[^/]/%31s", os, arch, variant) >= 2)
            mlr_buf_printf(&json, NULL, ",\"platform\":{\"os\":\"%s\",\"architecture\":\"%s\",\"variant\":\"%s\"}", os, arch, variant);
        if (e[i].notes != NULL)
            mlr_buf_printf(&json, NULL, ",\"annotations\":{%s}", e[i].notes);
        mlr_buf_printf(&json, NULL, "%s}", e[i].more != NULL ? e[i].more : "");
    }
    mlr_buf_puts(&json, "]}", NULL);
    m = bed_parse(json.data);
    mlr_buf_done(&json);
    return m;
}

/* What is chosen, by its name (without one by its number), or "" for none. */
static const char *choice(const mlr_manifest *m, const mlr_wish *w)
{
    static char text[64];
    mlr_candidate *all = NULL;

    bed_assert_rc(mlr_choose(m, w, &all, &err), 0);
    if (m->n_children == 0 || !all[0].fits)
        text[0] = '\0';
    else if (all[0].variant.name != NULL)
        snprintf(text, sizeof text, "%s", all[0].variant.name);
    else
        snprintf(text, sizeof text, "%td", all[0].variant.entry - m->children);
    mlr_candidates_free(all, m->n_children);
    return text;
}

static const char *choice_for(const mlr_manifest *m, const char *machine, mlr_wish w)
{
    mlr_host h = { 0 };
    const char *chosen;

    bed_assert_rc(mlr_host_read(machine, &h, &err), 0);
    w.any = true;
    w.host = &h;
    chosen = choice(m, &w);
    mlr_host_done(&h);
    return chosen;
}

/* ---- machines ---- */

#define GB "000000000"
#define PC      "{\"architecture\":\"amd64\",\"variant\":\"v3\",\"memory_bytes\":16" GB ",\"cpu_features\":[\"avx2\",\"fma\"]}"
#define OLD_PC  "{\"architecture\":\"amd64\",\"variant\":\"v1\",\"memory_bytes\":4" GB "}"
#define SERVER  "{\"architecture\":\"amd64\",\"variant\":\"v4\",\"memory_bytes\":512" GB ",\"cpu_features\":[\"avx2\",\"avx512f\",\"avx512_bf16\"]}"
#define AMX     "{\"architecture\":\"amd64\",\"variant\":\"v4\",\"memory_bytes\":512" GB ",\"cpu_features\":[\"avx512f\",\"amx_tile\",\"amx_bf16\"]}"
#define GRAVITON "{\"architecture\":\"arm64\",\"variant\":\"v8\",\"memory_bytes\":64" GB ",\"cpu_features\":[\"asimd\",\"sve\"]}"
#define RASPBERRY "{\"architecture\":\"arm64\",\"memory_bytes\":4" GB ",\"cpu_features\":[\"asimd\"]}"
#define CUDA(compute, memory, driver, runtime, n) "{\"architecture\":\"amd64\",\"variant\":\"v4\",\"memory_bytes\":256" GB ",\"cpu_features\":[\"avx2\",\"avx512f\"]," \
    "\"accelerators\":[{\"kind\":\"cuda\",\"compute\":\"" compute "\",\"memory_bytes\":" memory GB ",\"driver\":\"" driver "\",\"runtime\":\"" runtime "\"}" n "]}"
#define T4      CUDA("7.5", "16", "535.183.01", "12.2", "")
#define A100    CUDA("8.0", "80", "535.183.01", "12.2", "")
#define H100    CUDA("9.0", "80", "550.54.15", "12.4", "")
#define OLD_DRIVER CUDA("9.0", "80", "470.57", "11.4", "")
#define TWO_T4  CUDA("7.5", "16", "535.183.01", "12.2", ",{\"kind\":\"cuda\",\"compute\":\"7.5\",\"memory_bytes\":16" GB ",\"driver\":\"535.183.01\",\"runtime\":\"12.2\"}")
#define ROCM(target) "{\"architecture\":\"amd64\",\"memory_bytes\":256" GB ",\"accelerators\":[{\"kind\":\"rocm\",\"compute\":\"" target "\",\"memory_bytes\":192" GB "}]}"
#define MI300   ROCM("gfx942")
#define NAVI    ROCM("gfx1100")
#define NO_DEVICE "{\"architecture\":\"amd64\",\"cpu_features\":[\"avx2\",\"avx512f\"],\"notes\":[\"the driver is loaded, but no device is here\"]}"
#define MAC     "{\"os\":\"darwin\",\"architecture\":\"arm64\"}"
#define RISCV   "{\"architecture\":\"riscv64\"}"
#define TPU     "{\"architecture\":\"amd64\",\"accelerators\":[{\"kind\":\"tpu\",\"compute\":\"v5e\"}]}"

static const entry zoo[] = {
    { "linux/amd64", NAME("cpu") NOTE("accelerator", "none"), NULL },
    { "linux/arm64", NAME("cpu") NOTE("accelerator", "none"), NULL },
    { "linux/amd64", NAME("avx512") NOTE("cpu", "avx512f") NOTE("memory", "8" GB), NULL },
    { "linux/amd64", NAME("amx") NOTE("cpu", "avx512 amx-tile"), NULL },
    { "linux/arm64", NAME("sve") NOTE("cpu", "SVE"), NULL },
    { "linux/amd64", NAME("cuda") NOTE("accelerator", "cuda") NOTE("compute", "7.0") NOTE("precision", "int4") NOTE("memory", "12" GB), NULL },
    { "linux/amd64", NAME("cuda-bf16") NOTE("accelerator", "cuda") NOTE("compute", "7.0") NOTE("precision", "bf16") NOTE("memory", "24" GB), NULL },
    { "linux/amd64", NAME("cuda-hopper") NOTE("accelerator", "nvidia") NOTE("compute", "9.0") NOTE("driver", "535.54") NOTE("runtime", "12.2") NOTE("precision", "fp8"), NULL },
    { "linux/amd64", NAME("rocm") NOTE("accelerator", "rocm") NOTE("compute", "gfx90a gfx942"), NULL },
    { "linux/amd64", NAME("tpu") NOTE("accelerator", "tpu") NOTE("compute", "v5e"), NULL },
    { "unknown/unknown", NULL, NULL }, /* what buildkit says about a build */
};

static void assert_choice(const char *machine, mlr_wish w, const char *wanted)
{
    mlr_manifest *m = index_of(zoo, sizeof zoo / sizeof *zoo);
    const char *got = choice_for(m, machine, w);

    if (strcmp(got, wanted) != 0)
        fail_msg("%s gets \"%s\", not \"%s\"", machine, got, wanted);
    mlr_manifest_free(m);
}

static void test_variant__each_machine_gets_what_fits_it_best(void **state)
{
    static const struct { const char *machine, *wanted; } all[] = { { PC, "cpu" }, { OLD_PC, "cpu" }, { SERVER, "avx512" }, { AMX, "amx" }, { GRAVITON, "sve" },
        { RASPBERRY, "cpu" }, { T4, "cuda" }, { TWO_T4, "cuda-bf16" }, { A100, "cuda-bf16" }, { H100, "cuda-hopper" }, { OLD_DRIVER, "cuda-bf16" },
        { MI300, "rocm" }, { NAVI, "cpu" }, { NO_DEVICE, "avx512" }, { MAC, "" }, { RISCV, "" }, { TPU, "tpu" } };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_choice(all[i].machine, (mlr_wish){ .any = true }, all[i].wanted);
}

static void test_variant__does_without_the_device_where_told_to(void **state)
{
    (void)state;
    assert_choice(H100, (mlr_wish){ .accelerator = "none" }, "avx512");
    assert_choice(H100, (mlr_wish){ .accelerator = "cpu" }, "avx512");
    assert_choice(MI300, (mlr_wish){ .accelerator = "cuda" }, "");
    assert_choice(MI300, (mlr_wish){ .accelerator = "amd" }, "rocm");
}

static void test_variant__prefers_the_precision_that_was_asked_for(void **state)
{
    (void)state;
    assert_choice(A100, (mlr_wish){ .precision = "int4 bf16" }, "cuda");
    assert_choice(H100, (mlr_wish){ .precision = "BF16" }, "cuda-bf16");
    assert_choice(T4, (mlr_wish){ .precision = "bf16" }, "cuda"); /* a preference is no need */
}

static void test_variant__of_a_name_is_taken_whether_it_fits_or_not(void **state)
{
    (void)state;
    assert_choice(PC, (mlr_wish){ .name = "cuda-hopper" }, "cuda-hopper");
    assert_choice(GRAVITON, (mlr_wish){ .name = "cpu" }, "cpu");
    assert_choice(PC, (mlr_wish){ .name = "nope" }, "");
    assert_choice(PC, (mlr_wish){ .name = "sve", .platform = "linux/amd64" }, "");
}

static void test_variant__of_another_platform_uses_nothing_of_this_machine(void **state)
{
    (void)state;
    assert_choice(H100, (mlr_wish){ .platform = "linux/arm64" }, "cpu");
    assert_choice(H100, (mlr_wish){ .platform = "linux/x86_64" }, "cuda-hopper");
    assert_choice(GRAVITON, (mlr_wish){ .platform = "linux/amd64" }, "cpu");
    assert_choice(H100, (mlr_wish){ .platform = "linux/s390x" }, "");
}

static void test_variant__levels_of_an_architecture_are_kept(void **state)
{
    const entry levels[] = { { "linux/amd64", NULL, NULL }, { "linux/amd64/v3", NULL, NULL }, { "linux/arm/v6", NULL, NULL }, { "linux/arm/v7", NULL, NULL } };
    mlr_manifest *m = index_of(levels, 4);

    (void)state;
    assert_string_equal(choice_for(m, SERVER, (mlr_wish){ 0 }), "1");
    assert_string_equal(choice_for(m, OLD_PC, (mlr_wish){ 0 }), "0");
    assert_string_equal(choice_for(m, PC, (mlr_wish){ .platform = "linux/amd64/v2" }), "0");
    assert_string_equal(choice_for(m, "{\"architecture\":\"arm\",\"variant\":\"v6\"}", (mlr_wish){ 0 }), "2");
    mlr_manifest_free(m);
}

static void test_variant__a_device_counts_more_than_a_level_or_a_platform(void **state)
{
    const entry two[] = { { "linux/amd64/v3", NAME("v3"), NULL }, { NULL, NAME("cuda") NOTE("accelerator", "cuda"), NULL }, { NULL, NAME("any"), NULL } };
    mlr_manifest *m = index_of(two, 3);

    (void)state;
    assert_string_equal(choice_for(m, A100, (mlr_wish){ 0 }), "cuda");
    assert_string_equal(choice_for(m, PC, (mlr_wish){ 0 }), "v3");
    assert_string_equal(choice_for(m, RASPBERRY, (mlr_wish){ 0 }), "any");
    mlr_manifest_free(m);
}

static void test_variant__plain_entries_are_taken_as_others_take_them(void **state)
{
    const entry plain[] = { { "linux/arm64", NULL, NULL }, { "linux/amd64", NULL, NULL }, { "linux/amd64", NULL, NULL } };
    mlr_manifest *m = index_of(plain, 3);

    (void)state;
    assert_string_equal(choice_for(m, PC, (mlr_wish){ 0 }), "1"); /* the first that matches */
    mlr_manifest_free(m);
}

static void test_variant__reads_kitops_metadata(void **state)
{
    const entry kits[] = { { NULL, NULL, ",\"modelMetadata\":{\"quantization\":\"Q4_K_M\",\"vram\":\"6GB\"}" },
        { NULL, NULL, ",\"modelMetadata\":{\"quantization\":\"Q8_0\",\"vram\":12,\"gpuArchs\":[\"sm_75\",\"sm_80\"]}" },
        { NULL, NULL, ",\"modelMetadata\":{\"quantization\":\"F16\",\"vram\":\"40 GiB\",\"gpuArchs\":[\"sm_80\",\"gfx942\"],\"more\":{}}" } };
    mlr_manifest *m = index_of(kits, 3);
    mlr_variant v;

    (void)state;
    bed_assert_rc(mlr_variant_read(&m->children[2], &v, &err), 0);
    assert_string_equal(v.accelerator, "cuda rocm");
    assert_string_equal(v.compute, "8.0 gfx942");
    assert_true(v.memory_bytes == 42949672960ull);
    mlr_variant_done(&v);
    assert_string_equal(choice_for(m, PC, (mlr_wish){ 0 }), "0");
    assert_string_equal(choice_for(m, T4, (mlr_wish){ 0 }), "1");
    assert_string_equal(choice_for(m, A100, (mlr_wish){ 0 }), "2");
    assert_string_equal(choice_for(m, MI300, (mlr_wish){ 0 }), "2");
    assert_string_equal(choice_for(m, OLD_PC, (mlr_wish){ 0 }), ""); /* 4 GB are less than 6 */
    mlr_manifest_free(m);
}

static void test_variant__strange_metadata_says_nothing(void **state)
{
    const entry kits[] = { { NULL, NULL, ",\"modelMetadata\":{\"quantization\":7,\"vram\":[],\"gpuArchs\":{\"a\":1}}" }, { NULL, NULL, ",\"modelMetadata\":\"none\"" },
        { NULL, NULL, ",\"modelMetadata\":{\"vram\":\"lots\",\"gpuArchs\":\"sm_, smile ,sm9x\"}" } };
    mlr_manifest *m = index_of(kits, 3);

    (void)state;
    assert_string_equal(choice_for(m, OLD_PC, (mlr_wish){ 0 }), "0");
    mlr_manifest_free(m);
}

/* ---- from a place ---- */

typedef struct bed { mlr_runtime *rt; mlr_place *place; odd_place *odd; mlr_host host; mlr_wish wish; } bed;

static bed bed_up(const char *machine)
{
    bed b = { 0 };

    assert_int_equal(mlr_runtime_new(&(mlr_limits){ 0 }, &b.rt, NULL), 0);
    b.place = bed_open("memory:", 0, b.rt);
    b.odd = odd_place_new(b.place, "the place");
    bed_assert_rc(mlr_host_read(machine, &b.host, &err), 0);
    b.wish = (mlr_wish){ .any = true };
    return b;
}

static void bed_down(bed *b)
{
    mlr_host_done(&b->host);
    mlr_place_close(&b->odd->place);
    mlr_place_close(b->place);
    mlr_runtime_unref(b->rt);
}

static mlr_manifest *child(bed *b, const char *text)
{
    mlr_manifest *m = bed_image(b->place, REPO, text, NULL);

    bed_tag(b->place, REPO, NULL, m);
    return m;
}

static mlr_manifest *index_with(bed *b, const char *const *platforms, const mlr_manifest *const *children, size_t n)
{
    mlr_buf json = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_manifest *m;

    (void)b;
    mlr_buf_puts(&json, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[", NULL);
    for (size_t i = 0; i < n; i++) {
        mlr_buf_printf(&json, NULL, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu", i > 0 ? "," : "", children[i]->self.media_type, children[i]->self.digest.text,
            (unsigned long long)children[i]->self.bytes);
        if (platforms[i] != NULL)
            mlr_buf_printf(&json, NULL, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"}", platforms[i]);
        mlr_buf_puts(&json, "}", NULL);
    }
    mlr_buf_puts(&json, "]}", NULL);
    m = bed_parse(json.data);
    mlr_buf_done(&json);
    return m;
}

static int resolve(bed *b, mlr_manifest **out, mlreg_error **err)
{
    mlr_ref r = { (char *)REPO, (char *)"v1", { "" } };

    b->wish.host = &b->host;
    return mlr_variant_resolve(&b->odd->place, &r, &b->wish, NULL, out, err);
}

static void test_variant__costs_two_requests(void **state)
{
    bed b = bed_up(PC);
    mlr_manifest *amd = child(&b, "amd"), *arm = child(&b, "arm"), *m = NULL;
    mlr_manifest *index = index_with(&b, (const char *const[]){ "arm64", "amd64" }, (const mlr_manifest *const[]){ arm, amd }, 2);

    (void)state;
    bed_tag(b.place, REPO, "v1", index);
    bed_assert_rc(resolve(&b, &m, &err), 0);
    assert_string_equal(m->self.digest.text, amd->self.digest.text);
    assert_int_equal(b.odd->manifests_read + b.odd->resolves, 2);
    mlr_manifest_free(m);
    b.wish.any = false;
    bed_assert_rc(resolve(&b, &m, &err), 0);
    assert_string_equal(m->self.digest.text, index->self.digest.text); /* nothing wanted: as ever */
    mlr_manifest_free(m);
    mlr_manifest_free(amd);
    mlr_manifest_free(arm);
    mlr_manifest_free(index);
    bed_down(&b);
}

static void test_variant__within_an_index_within_the_index_is_found(void **state)
{
    bed b = bed_up(PC);
    mlr_manifest *arm = child(&b, "arm"), *amd = child(&b, "amd"), *s390 = child(&b, "s390"), *m = NULL;
    mlr_manifest *wrong = index_with(&b, (const char *const[]){ "s390x" }, (const mlr_manifest *const[]){ s390 }, 1);
    mlr_manifest *inner = index_with(&b, (const char *const[]){ "arm64", "amd64" }, (const mlr_manifest *const[]){ arm, amd }, 2);
    mlr_manifest *outer = index_with(&b, (const char *const[]){ "arm64", NULL, NULL }, (const mlr_manifest *const[]){ arm, wrong, inner }, 3);

    (void)state;
    bed_tag(b.place, REPO, NULL, wrong);
    bed_tag(b.place, REPO, NULL, inner);
    bed_tag(b.place, REPO, "v1", outer);
    bed_assert_rc(resolve(&b, &m, &err), 0);
    assert_string_equal(m->self.digest.text, amd->self.digest.text);
    mlr_manifest_free(m);
    mlr_manifest_free(arm);
    mlr_manifest_free(amd);
    mlr_manifest_free(s390);
    mlr_manifest_free(wrong);
    mlr_manifest_free(inner);
    mlr_manifest_free(outer);
    bed_down(&b);
}

/* A registry may say anything, even that an index holds itself; what it sends by digest is checked. */
static void test_variant__an_index_inside_itself_ends(void **state)
{
    bed b = bed_up(PC);
    mlr_digest d;
    char json[512];
    mlr_manifest *m = NULL;
    mlreg_error *err = NULL;
    int rc;

    (void)state;
    mlr_digest_of("whatever", 8, &d);
    snprintf(json, sizeof json, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[{\"mediaType\":\"" MLR_TYPE_INDEX "\",\"digest\":\"%s\",\"size\":8}]}", d.text);
    b.odd->manifest = json;
    rc = resolve(&b, &m, &err);
    assert_true(rc == MLREG_EDIGEST || rc == MLREG_ELIMIT);
    mlr_error_done(err);
    bed_down(&b);
}

/* Eight levels of it would be four thousand million requests. */
static void test_variant__indexes_that_branch_without_end_end(void **state)
{
    bed b = bed_up(PC);
    mlr_manifest *arm = child(&b, "arm"), *levels[4], *m = NULL;
    const mlr_manifest *same[16];
    mlreg_error *err = NULL;

    (void)state;
    levels[0] = index_with(&b, (const char *const[]){ "arm64" }, (const mlr_manifest *const[]){ arm }, 1);
    bed_tag(b.place, REPO, NULL, levels[0]);
    for (size_t i = 1; i < 4; i++) {
        for (size_t k = 0; k < 16; k++)
            same[k] = levels[i - 1];
        levels[i] = bed_index(same, 16);
        bed_tag(b.place, REPO, i == 3 ? "v1" : NULL, levels[i]);
    }
    assert_int_equal(resolve(&b, &m, &err), MLREG_ELIMIT);
    assert_non_null(strstr(err->message, "1000 entries of its nested indexes"));
    assert_true(b.odd->manifests_read <= 1001);
    mlr_error_done(err);
    for (size_t i = 0; i < 4; i++)
        mlr_manifest_free(levels[i]);
    mlr_manifest_free(arm);
    bed_down(&b);
}

static void test_variant__whose_manifest_is_missing_is_named(void **state)
{
    bed b = bed_up(PC);
    mlr_manifest *amd = bed_image(b.place, REPO, "amd", NULL), *arm = child(&b, "arm"), *m = NULL;
    mlr_manifest *index = index_with(&b, (const char *const[]){ "arm64", "amd64" }, (const mlr_manifest *const[]){ arm, amd }, 2);
    mlreg_error *err = NULL;

    (void)state;
    assert_int_equal(mlr_manifest_set_absent(index, amd->self.digest.text, NULL), 0);
    bed_tag(b.place, REPO, "v1", index);
    assert_int_equal(resolve(&b, &m, &err), MLREG_ENOTFOUND);
    assert_string_equal(err->subject, amd->self.digest.text);
    assert_non_null(strstr(err->message, "linux/amd64"));
    assert_non_null(err->hint);
    mlr_error_done(err);
    mlr_manifest_free(amd);
    mlr_manifest_free(arm);
    mlr_manifest_free(index);
    bed_down(&b);
}

static void test_variant__where_nothing_fits_all_are_listed_with_what_is_missing(void **state)
{
    bed b = bed_up(NO_DEVICE);
    const entry two[] = { { "linux/amd64", NAME("cuda") NOTE("accelerator", "cuda"), NULL }, { "linux/arm64", NAME("arm"), NULL } };
    mlr_manifest *index = index_of(two, 2), *m = NULL;
    mlreg_error *err = NULL;
    mlr_buf absent = MLR_BUF_INIT(4096);

    (void)state;
    mlr_buf_printf(&absent, NULL, "%s %s", index->children[0].digest.text, index->children[1].digest.text);
    assert_int_equal(mlr_manifest_set_absent(index, absent.data, NULL), 0);
    bed_tag(b.place, REPO, "v1", index);
    assert_int_equal(resolve(&b, &m, &err), MLREG_ENOTSUP);
    assert_non_null(strstr(err->message, "cuda needs cuda, and no such device is here"));
    assert_non_null(strstr(err->message, "arm is for linux/arm64"));
    assert_non_null(strstr(err->message, "linux/amd64, no accelerator"));
    assert_string_equal(err->hint, "the driver is loaded, but no device is here");
    assert_int_equal(b.odd->manifests_read, 1);
    mlr_error_done(err);
    mlr_buf_done(&absent);
    mlr_manifest_free(index);
    bed_down(&b);
}

/* ---- what is written ---- */

static int check(mlreg_variant_options o)
{
    mlreg_error *err = NULL;
    int rc = mlr_variant_check(&o, &err);

    assert_true((err != NULL) == (rc < 0));
    mlr_error_done(err);
    return rc;
}

static void test_variant__refuses_what_no_machine_could_be_held_against(void **state)
{
    (void)state;
    assert_int_equal(check((mlreg_variant_options){ .name = NULL }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "CUDA" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "-x" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "a", .platform = "linux" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "a", .platform = "linux/" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "a", .platform = "a/b/c/d" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "a", .driver = "new" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "a", .cpu = "" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "a", .format = "a\nb" }), MLREG_EINVAL);
    assert_int_equal(check((mlreg_variant_options){ .name = "cuda-12.4", .platform = "linux/arm64/v8", .runtime = "12.4" }), 0);
}

static void test_variant__reads_what_it_wrote_and_takes_the_kind_from_the_name(void **state)
{
    mlreg_variant_options o = { .name = "cuda-12.4", .compute = "8.0", .memory_bytes = 40000000000ull };
    mlr_descriptor d;
    mlr_digest digest;
    mlr_variant v;

    (void)state;
    mlr_digest_of("x", 1, &digest);
    bed_assert_rc(mlr_descriptor_make(MLR_TYPE_MANIFEST, &digest, 1, &d, &err), 0);
    bed_assert_rc(mlr_variant_annotate(&o, &d, &err), 0);
    bed_assert_rc(mlr_variant_read(&d, &v, &err), 0);
    assert_string_equal(v.accelerator, "cuda");
    assert_string_equal(v.compute, "8.0");
    assert_null(v.driver);
    assert_true(v.memory_bytes == 40000000000ull);
    assert_false(mlr_variant_is_plain(&v));
    mlr_descriptor_done(&d);
}

/* A linker may make one of two equal literals: the caller's "cuda" and ours. */
static void test_variant__takes_the_kind_from_a_name_that_lies_where_the_kind_does(void **state)
{
    const char *name = mlr_variant_kind("nvidia", 6);
    mlreg_variant_options o = { .name = name };
    mlr_descriptor d;
    mlr_digest digest;
    mlr_variant v;

    (void)state;
    mlr_digest_of("x", 1, &digest);
    bed_assert_rc(mlr_descriptor_make(MLR_TYPE_MANIFEST, &digest, 1, &d, &err), 0);
    bed_assert_rc(mlr_variant_annotate(&o, &d, &err), 0);
    bed_assert_rc(mlr_variant_read(&d, &v, &err), 0);
    assert_non_null(v.accelerator);
    assert_string_equal(v.accelerator, "cuda");
    mlr_descriptor_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variant__each_machine_gets_what_fits_it_best),
        cmocka_unit_test(test_variant__does_without_the_device_where_told_to),
        cmocka_unit_test(test_variant__prefers_the_precision_that_was_asked_for),
        cmocka_unit_test(test_variant__of_a_name_is_taken_whether_it_fits_or_not),
        cmocka_unit_test(test_variant__of_another_platform_uses_nothing_of_this_machine),
        cmocka_unit_test(test_variant__levels_of_an_architecture_are_kept),
        cmocka_unit_test(test_variant__a_device_counts_more_than_a_level_or_a_platform),
        cmocka_unit_test(test_variant__plain_entries_are_taken_as_others_take_them),
        cmocka_unit_test(test_variant__reads_kitops_metadata),
        cmocka_unit_test(test_variant__strange_metadata_says_nothing),
        cmocka_unit_test(test_variant__costs_two_requests),
        cmocka_unit_test(test_variant__within_an_index_within_the_index_is_found),
        cmocka_unit_test(test_variant__an_index_inside_itself_ends),
        cmocka_unit_test(test_variant__indexes_that_branch_without_end_end),
        cmocka_unit_test(test_variant__whose_manifest_is_missing_is_named),
        cmocka_unit_test(test_variant__where_nothing_fits_all_are_listed_with_what_is_missing),
        cmocka_unit_test(test_variant__refuses_what_no_machine_could_be_held_against),
        cmocka_unit_test(test_variant__reads_what_it_wrote_and_takes_the_kind_from_the_name),
        cmocka_unit_test(test_variant__takes_the_kind_from_a_name_that_lies_where_the_kind_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
