-- A row a refund of what a card paid, as it stands at the log's offset: its money goes back to the card.
create table card_refunds (
    concert int unsigned not null,
    refund char(20) character set ascii collate ascii_bin not null,
    payment char(20) character set ascii collate ascii_bin not null,
    reservation char(20) character set ascii collate ascii_bin not null,
    show_id int unsigned not null,
    user varbinary(64) not null,
    amount bigint not null,
    -- refund (decided, the gateway is being told), refused (it does not give it back: people have to look) or returned.
    state char(8) character set ascii collate ascii_bin not null,
    decided_at bigint not null,
    changed_at bigint not null,
    primary key (concert, refund),
    -- How far those of a cancelled show are.
    key of_show (show_id, state)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin row_format = redundant
