-- What organisers did: a row for each of their changing calls, there before the change, with its outcome before the answer.
create table organiser_actions (
    action_id bigint unsigned not null auto_increment,
    at bigint not null,
    -- The caller's user id.
    who varbinary(64) not null,
    -- The organiser of what was changed; empty where an admin without one created something.
    org varchar(64) not null,
    -- Method and route of the call.
    action varchar(100) not null,
    -- What it named: `concert 7`, `show 12`, a reservation; empty until what it makes has a name.
    target varchar(100) not null,
    -- JSON of what was asked for, without secrets; null where the handler notes nothing.
    details mediumtext null,
    -- As in the answer's X-Request-Id and in the log.
    request char(16) not null,
    -- done, the code of the problem, or begun: it never came to an end here.
    outcome varchar(40) not null,
    primary key (action_id),
    -- Those of one organiser, newest first.
    key actions_of_org (org, action_id)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
