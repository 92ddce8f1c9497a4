/* model/kinds.c - what a file is to a model: weight, weight.config, doc, code or dataset, by content and name. */
#include "model/kinds.h"

#include <string.h>
#include "base/text.h"

#include "base/utf8.h"

#define SAFETENSORS_MAX_HEADER 100000000
#define LARGE_BYTES (1u << 20)                 /* nobody writes that by hand: unknown files from here on are data */

typedef struct trait {
    char    format[12];                        /* or "" */
    uint8_t kind;                              /* a mlr_file_kind */
    bool    by_place;                          /* in a folder of data it is part of the data */
} trait;

#define WEIGHT(format) {format, MLR_KIND_WEIGHT, false}
#define WEIGHT_OR_DATA(format) {format, MLR_KIND_WEIGHT, true}
#define CONFIG {"", MLR_KIND_CONFIG, false}
#define CONFIG_OR_DATA {"", MLR_KIND_CONFIG, true}
#define DOC {"", MLR_KIND_DOC, false}
#define DOC_OR_DATA {"", MLR_KIND_DOC, true}
#define CODE {"", MLR_KIND_CODE, false}
#define DATASET(format) {format, MLR_KIND_DATASET, false}

/* ---- content ---- */

static const struct signature { uint8_t at, len; char bytes[15]; trait is; } signatures[] = {
    {0, 4, "GGUF", WEIGHT("gguf")},
    {0, 4, "lmgg", WEIGHT("ggml")}, {0, 4, "fmgg", WEIGHT("ggml")}, {0, 4, "tjgg", WEIGHT("ggml")},
    {4, 4, "TFL3", WEIGHT("tflite")},
    {0, 4, "ptrt", WEIGHT("tensorrt")}, {0, 4, "ftrt", WEIGHT("tensorrt")},
    {0, 8, "\x89HDF\r\n\x1a\n", WEIGHT_OR_DATA("hdf5")},
    {0, 6, "\x93NUMPY", WEIGHT_OR_DATA("numpy")},
    {0, 14, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", WEIGHT("pytorch")},   /* before zips */
    {0, 4, "PAR1", DATASET("parquet")}, {0, 6, "ARROW1", DATASET("arrow")}, {0, 4, "FEA1", DATASET("arrow")},
    {0, 8, "\x89PNG\r\n\x1a\n", DOC_OR_DATA}, {0, 3, "\xff\xd8\xff", DOC_OR_DATA}, {0, 4, "GIF8", DOC_OR_DATA},
    {8, 4, "WEBP", DOC_OR_DATA}, {8, 4, "WAVE", DOC_OR_DATA}, {0, 4, "OggS", DOC_OR_DATA}, {0, 4, "fLaC", DOC_OR_DATA},
    {4, 4, "ftyp", DOC_OR_DATA}, {0, 4, "\x1a\x45\xdf\xa3", DOC_OR_DATA},
    {0, 4, "\x7f" "ELF", CODE}, {0, 4, "\0asm", CODE},
};
static const trait safetensors = WEIGHT("safetensors"), onnx = WEIGHT("onnx"), pytorch = WEIGHT("pytorch");
static const trait numpy = WEIGHT_OR_DATA("numpy"), pickle = WEIGHT_OR_DATA("pickle"), pdf = DOC_OR_DATA;

static uint64_t little_endian(const uint8_t *b, size_t n)
{
    uint64_t v = 0;

    while (n-- > 0)
        v = v << 8 | b[n];
    return v;
}

/* The header's length and the bracket that opens it. */
static bool is_safetensors(const uint8_t *head, size_t n)
{
    return n >= 10 && little_endian(head, 8) <= SAFETENSORS_MAX_HEADER && head[8] == '{' &&
           memchr("\"} \t\r\n", head[9], 6) != NULL;
}

/* A protobuf that begins with ir_version and the producer's name. */
static bool is_onnx(const uint8_t *head, size_t n)
{
    if (n < 4 || head[0] != 0x08 || head[1] == 0 || head[1] > 32 || head[2] != 0x12 || head[3] == 0 || head[3] > n - 4)
        return false;
    for (size_t i = 0; i < head[3]; i++)
        if (head[4 + i] < 0x20 || head[4 + i] > 0x7e)
            return false;
    return true;
}

/* A zip is what its first member says; NULL: nothing that is known. */
static const trait *of_zip(const uint8_t *head, size_t n)
{
    if (n < 30 || memcmp(head, "PK\3\4", 4) != 0)
        return NULL;
    const char *name = (const char *)head + 30;
    size_t      len = (size_t)little_endian(head + 26, 2);
    if (len > n - 30)
        return NULL;
    if (mlr_text_ends_in(name, len, "/data.pkl") || mlr_text_ends_in(name, len, "/version") ||
        mlr_text_ends_in(name, len, "/.format_version"))
        return &pytorch;
    return mlr_text_ends_in(name, len, ".npy") ? &numpy : NULL;
}

static bool is_pickle(const uint8_t *head, size_t n)
{
    return n >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5;
}

/* No control characters but those of text, and UTF-8 as far as the head goes. */
static bool is_text(const uint8_t *head, size_t n)
{
    uint32_t ch;

    for (size_t i = 0, len; i < n; i += len) {
        len = mlr_utf8_next((const char *)head + i, n - i, &ch);
        if (len == 0)
            return n - i < 4 && head[i] >= 0xC2;       /* a character that the head cuts off */
        if (ch < 0x20 && memchr("\t\n\r\f\x1b", (int)ch, 5) == NULL)
            return false;
    }
    return true;
}

static const trait *of_content(const uint8_t *head, size_t n)
{
    if (n >= 5 && memcmp(head, "%PDF-", 5) == 0)
        return &pdf;
    if (is_text(head, n))                      /* a README may well begin with "GGUF" */
        return NULL;
    if (is_safetensors(head, n))
        return &safetensors;
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
        const struct signature *s = &signatures[i];
        if (n >= (size_t)s->at + s->len && memcmp(head + s->at, s->bytes, s->len) == 0)
            return &s->is;
    }
    if (is_onnx(head, n))
        return &onnx;
    if (is_pickle(head, n))
        return &pickle;
    return of_zip(head, n);
}

/* ---- names ---- */

/* The first rule with a pattern that matches decides. In lower case; matched without regard to case. */
static const struct rule { const char *patterns; trait is; } rules[] = {
    {"*.safetensors", WEIGHT("safetensors")},
    {"*.gguf", WEIGHT("gguf")},
    {"*.ggml *.ggmf *.ggjt", WEIGHT("ggml")},
    {"*.onnx *.onnx_data *.onnx.data *.ort", WEIGHT("onnx")},
    {"*.pt *.pth *.ckpt *.pt2 pytorch_model*.bin adapter_model.bin diffusion_pytorch_model*.bin", WEIGHT("pytorch")},
    {"*.h5 *.hdf5", WEIGHT_OR_DATA("hdf5")},
    {"*.keras", WEIGHT("keras")},
    {"*.pb *.ckpt.index *.ckpt.meta *.data-*-of-*", WEIGHT("tensorflow")},
    {"*.tflite", WEIGHT("tflite")},
    {"*.mlmodel", WEIGHT("coreml")},
    {"*.engine *.plan *.trt", WEIGHT("tensorrt")},
    {"*.msgpack", WEIGHT("flax")},
    {"*.npy *.npz", WEIGHT_OR_DATA("numpy")},
    {"*.pkl *.pickle *.joblib", WEIGHT_OR_DATA("pickle")},
    {"*.bin *.nemo *.mar *.ot *.llamafile *.weights *.caffemodel *.mnn *.rknn *.dlc *.pdparams *.pdmodel *.pte"
     " *.tensors", WEIGHT("")},

    {"*.parquet", DATASET("parquet")},
    {"*.arrow *.feather", DATASET("arrow")},
    {"*.csv", DATASET("csv")},
    {"*.tsv", DATASET("tsv")},
    {"*.jsonl *.ndjson", DATASET("jsonl")},
    {"*.tfrecord *.tfrecords *.orc *.avro *.lance *.mdb *.sqlite *.db", DATASET("")},

    {"*.py *.pyi *.pyx *.ipynb *.sh *.bash *.bat *.ps1 *.c *.h *.cc *.cpp *.cxx *.hpp *.hh *.cu *.cuh *.cl *.metal *.m"
     " *.mm *.go *.rs *.js *.mjs *.cjs *.ts *.tsx *.jsx *.java *.kt *.scala *.swift *.rb *.pl *.lua *.r *.jl *.cs *.css"
     " *.wasm *.so *.so.* *.dylib *.dll *.exe *.whl *.cmake *.patch *.diff *.proto *.sql makefile gnumakefile *.mk"
     " cmakelists.txt dockerfile dockerfile.* *.dockerfile requirements*.txt constraints*.txt pyproject.toml setup.cfg"
     " cargo.toml package.json package-lock.json environment.yml environment.yaml docker-compose*.y*ml", CODE},

    {"tokenizer* vocab* merges.txt spiece.* sentencepiece.* *.tiktoken *.bpe added_tokens.* special_tokens_map.*",
     CONFIG},
    {"readme* license* licence* copying* notice* changelog* citation* authors* contributing* modelcard* model_card*"
     " use_policy* acceptable_use*", DOC},
    {"modelfile kitfile template params system", CONFIG},
    {"*.model *.jinja *.jinja2 *.j2 *.tmpl *.template", CONFIG},
    {"*.json *.json5 *.jsonc *.yaml *.yml *.toml *.ini *.cfg *.conf *.config *.properties *.xml *.pbtxt *.prototxt",
     CONFIG_OR_DATA},

    {"*.md *.markdown *.mdx *.rst *.txt *.tex *.bib *.rtf *.html *.htm *.pdf *.doc *.docx *.odt *.pptx *.log"
     " *.png *.jpg *.jpeg *.gif *.webp *.svg *.bmp *.tif *.tiff *.avif"
     " *.wav *.mp3 *.flac *.ogg *.m4a *.mp4 *.webm *.mov *.mkv", DOC_OR_DATA},
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* '*' is any run of characters. */
static bool matches(const char *pattern, size_t pattern_len, const char *name, size_t len)
{
    size_t p = 0, i = 0, star = SIZE_MAX, from = 0;

    while (i < len) {
        if (p < pattern_len && pattern[p] == '*') {
            star = p++;
            from = i;
        } else if (p < pattern_len && pattern[p] == lower(name[i])) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {         /* let the last '*' take one more */
            p = star + 1;
            i = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern_len && pattern[p] == '*')
        p++;
    return p == pattern_len;
}

static bool matches_any(const char *patterns, const char *name, size_t len)
{
    for (size_t n; *patterns != '\0'; patterns += n + (patterns[n] == ' ')) {
        n = strcspn(patterns, " ");
        if (matches(patterns, n, name, len))
            return true;
    }
    return false;
}

/* "train.csv.gz" is what "train.csv" is. */
static size_t without_compression(const char *name, size_t len)
{
    static const char ends[][5] = {".gz", ".zst", ".xz", ".bz2"};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (mlr_text_ends_in(name, len, ends[i]) && len > strlen(ends[i]))
            return len - strlen(ends[i]);
    return len;
}

static const trait *of_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t      len = without_compression(name, strlen(name));

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (matches_any(rules[i].patterns, name, len))
            return &rules[i].is;
    return NULL;
}

/* In lower case only: "Data" is a part of Apple's model packages. */
static bool is_in_data_folder(const char *path)
{
    static const char folders[][10] = {"data/", "dataset/", "datasets/"};

    for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1)
        for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
            if (strncmp(path, folders[i], strlen(folders[i])) == 0)
                return true;
    return false;
}

/* ---- both ---- */

/* The pickle and zip of a file that calls itself PyTorch's are PyTorch's. */
static const trait *of_file(const char *path, const uint8_t *head, size_t n)
{
    const trait *content = of_content(head, n), *name = of_name(path);

    if (content == &pickle && name != NULL && name->kind == MLR_KIND_WEIGHT && !name->by_place)
        return name;
    return content != NULL ? content : name;
}

static mlr_file_kind of_unknown(const uint8_t *head, size_t n, uint64_t file_bytes)
{
    bool text = is_text(head, n);

    if (file_bytes < LARGE_BYTES)
        return MLR_KIND_CODE;                  /* what runs the model may come without a suffix */
    return text ? MLR_KIND_DATASET : MLR_KIND_WEIGHT;
}

mlr_file_kind mlr_kind_of(const char *path, const uint8_t *head, size_t head_bytes, uint64_t file_bytes)
{
    const trait *is = of_file(path, head, head_bytes);

    if ((is == NULL || is->by_place) && is_in_data_folder(path))
        return MLR_KIND_DATASET;
    return is != NULL ? is->kind : of_unknown(head, head_bytes, file_bytes);
}

const char *mlr_kind_media_type(mlr_file_kind kind)
{
    switch (kind) {
    case MLR_KIND_WEIGHT: return "application/vnd.cncf.model.weight.v1.raw";
    case MLR_KIND_CONFIG: return "application/vnd.cncf.model.weight.config.v1.raw";
    case MLR_KIND_DOC: return "application/vnd.cncf.model.doc.v1.raw";
    case MLR_KIND_DATASET: return "application/vnd.cncf.model.dataset.v1.raw";
    case MLR_KIND_CODE: break;
    }
    return "application/vnd.cncf.model.code.v1.raw";
}

const char *mlr_kind_format(const char *path, const uint8_t *head, size_t head_bytes)
{
    const trait *is = of_file(path, head, head_bytes);

    return is != NULL && is->format[0] != '\0' ? is->format : NULL;
}
