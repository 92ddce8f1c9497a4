/* codec/json_scan.h - the strings, numbers and words of JSON, one at a time, as strictly as RFC 8259 can be read. */
#ifndef MLR_CODEC_JSON_SCAN_H
#define MLR_CODEC_JSON_SCAN_H

/* Each moves *at behind what begins there and gives NULL; or gives what is wrong and moves *at to where. */
const char *mlr_json_scan_string(const char **at, const char *end);    /* *at is its opening quote */
const char *mlr_json_scan_number(const char **at, const char *end);
const char *mlr_json_scan_word(const char **at, const char *end, const char *wanted);
#endif
