/* Reads a recording: segment by segment, record by record.
 *
 * Trusts nothing: every size and every number is held against what is there, and what does not fit
 * ends the segment with -EBADMSG; the next segment can be read all the same. What it gives out
 * borrows from the octets that it reads. Pure; any thread. */
#pragma once

#include "recorder/recording.h"

/* Takes the next segment from the front of a file's octets. 1: there it is (is_cut: the file ends
 * before the segment does; what is there can be read); 0: the end; -EBADMSG: this is no recording;
 * -EPROTONOSUPPORT: it is of a version that is not known here. */
int recording_pull_segment(struct bytes *file, struct recording_segment *ret_segment,
                           bool *ret_is_cut);

struct recording_reader;

struct recording_reader *recording_reader_new(void);
/* NULL is allowed. */
void recording_reader_free(struct recording_reader *r);

/* Begins a segment, which must live until the next one begins. */
void recording_reader_begin(struct recording_reader *r, const struct recording_segment *segment);

/* 1: a record; 0: the segment is read; -EBADMSG: it is damaged from here on. Kinds that are not
 * known are passed over. */
int recording_reader_next(struct recording_reader *r, struct recording_record *ret_record);

/* The name of a source as the segment has told it so far; empty: not told. */
struct bytes recording_reader_source_name(const struct recording_reader *r, uint16_t source);

/* The wall clock at a moment of this segment. */
int64_t recording_reader_wall(const struct recording_reader *r, usec_t moment);
