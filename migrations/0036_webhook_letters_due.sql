-- The letters that are to be told once more are looked for twice a second and more, among those that nobody asks for.
alter table webhook_dead_letters add key due (due, webhook, log, number, event)
