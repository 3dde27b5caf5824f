-- A row format in which null takes the room of the value, and a reason of fixed length: rows change where they are. What
-- grows splits the pages of all places joined before, one after the other (0005).
alter table queue_tokens
    modify end_reason char(10) character set ascii collate ascii_bin null,
    row_format = redundant
