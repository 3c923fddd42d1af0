-- Each deletion takes the news of deletions of more than a day ago with it: found by their time,
-- however many there were today.
CREATE INDEX event_of_deleted_by_time ON event (at) WHERE status = 'deleted';
