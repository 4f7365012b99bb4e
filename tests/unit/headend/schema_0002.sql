BEGIN TRANSACTION;
CREATE TABLE cursors (
	device_id INTEGER NOT NULL, 
	block_sequence BIGINT, 
	intervals INTEGER NOT NULL, 
	event_sequence BIGINT, 
	read_at DOUBLE NOT NULL, 
	CONSTRAINT pk_cursors PRIMARY KEY (device_id), 
	CONSTRAINT fk_cursors_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
)
 WITHOUT ROWID

;
INSERT INTO "cursors" VALUES(1,3,4,70001,1704070800.25);
CREATE TABLE devices (
	id INTEGER NOT NULL, 
	neuron_id BLOB NOT NULL, 
	program_id BLOB NOT NULL, 
	state TEXT NOT NULL, 
	first_seen DOUBLE NOT NULL, 
	domain BLOB NOT NULL, 
	subnet INTEGER NOT NULL, 
	node INTEGER NOT NULL, 
	commissioned_at DOUBLE, 
	last_contact DOUBLE, 
	sequence BIGINT NOT NULL, 
	identity TEXT NOT NULL, phase INTEGER DEFAULT '0' NOT NULL, searched_at DOUBLE, 
	CONSTRAINT pk_devices PRIMARY KEY (id), 
	CONSTRAINT uq_devices UNIQUE (neuron_id)
);
INSERT INTO "devices" VALUES(1,X'0500A1B2C3D4',X'0000000000000000','commissioned',1704067200.5,X'0A',2,7,NULL,NULL,0,'4711',0,NULL);
INSERT INTO "devices" VALUES(2,X'0500A1B2C3D5',X'0000000000000000','commissioned',1704067200.5,X'0A',2,7,1704067201.5,NULL,0,'4711',0,NULL);
CREATE TABLE events (
	device_id INTEGER NOT NULL, 
	event_sequence BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	number INTEGER NOT NULL, 
	argument BIGINT NOT NULL, 
	user_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (device_id, event_sequence), 
	CONSTRAINT fk_events_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
)
 WITHOUT ROWID

;
INSERT INTO "events" VALUES(1,70000,1704067210,2,3,65535,'power up');
INSERT INTO "events" VALUES(1,70001,1704067220,68,6,65534,'');
CREATE TABLE intervals (
	device_id INTEGER NOT NULL, 
	end_at BIGINT NOT NULL, 
	data_set INTEGER NOT NULL, 
	channel_values BLOB NOT NULL, 
	channel_status BLOB NOT NULL, 
	common_status INTEGER NOT NULL, 
	channels_id INTEGER, 
	CONSTRAINT pk_intervals PRIMARY KEY (device_id, end_at, data_set), 
	CONSTRAINT fk_intervals_device_id FOREIGN KEY(device_id) REFERENCES devices (id), 
	CONSTRAINT fk_intervals_channels_id FOREIGN KEY(channels_id) REFERENCES profile_channels (id)
)
 WITHOUT ROWID

;
INSERT INTO "intervals" VALUES(1,1704068100,1,X'6400000000000000',X'0004',1,1);
INSERT INTO "intervals" VALUES(1,1704069000,1,X'C800000000000000',X'0004',1,1);
INSERT INTO "intervals" VALUES(1,1704069900,1,X'2C01000000000000',X'0004',1,1);
INSERT INTO "intervals" VALUES(1,1704070800,1,X'9001000000000000',X'0004',1,1);
CREATE TABLE link_samples (
	device_id INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	requests INTEGER NOT NULL, 
	responses INTEGER NOT NULL, 
	retries INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	margin_db DOUBLE, 
	airtime DOUBLE NOT NULL, 
	CONSTRAINT pk_link_samples PRIMARY KEY (device_id, at), 
	CONSTRAINT fk_link_samples_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
)
 WITHOUT ROWID

;
INSERT INTO "link_samples" VALUES(1,1704070800.25,12,11,2,1,9.5,4.25);
CREATE TABLE links (
	one BLOB NOT NULL, 
	other BLOB NOT NULL, 
	carrier INTEGER NOT NULL, 
	forth_db DOUBLE, 
	back_db DOUBLE, 
	successes DOUBLE NOT NULL, 
	failures DOUBLE NOT NULL, 
	at DOUBLE NOT NULL, 
	CONSTRAINT pk_links PRIMARY KEY (one, other, carrier)
)
 WITHOUT ROWID

;
INSERT INTO "links" VALUES(X'00A15C000001',X'0500A1B2C3D4',0,12.5,11.0,3.0,0.5,1704067300.0);
INSERT INTO "links" VALUES(X'0500A1B2C3D4',X'0500A1B2C3D5',1,NULL,9.5,1.0,0.0,1704067301.0);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('created_with','osgp 0.1.0');
CREATE TABLE osgp_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT osgp_schema_pkc PRIMARY KEY (version_num)
);
INSERT INTO "osgp_schema" VALUES('0002');
CREATE TABLE profile_blocks (
	device_id INTEGER NOT NULL, 
	read_at DOUBLE NOT NULL, 
	data_set INTEGER NOT NULL, 
	block_sequence BIGINT NOT NULL, 
	byte_offset INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_profile_blocks PRIMARY KEY (device_id, read_at, data_set, block_sequence, byte_offset), 
	CONSTRAINT fk_profile_blocks_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
)
 WITHOUT ROWID

;
INSERT INTO "profile_blocks" VALUES(1,1704070800.25,1,4294967295,5,X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF');
CREATE TABLE profile_channels (
	id INTEGER NOT NULL, 
	device_id INTEGER NOT NULL, 
	data_set INTEGER NOT NULL, 
	interval_minutes INTEGER NOT NULL, 
	sources TEXT NOT NULL, 
	units TEXT NOT NULL, 
	read_at DOUBLE NOT NULL, 
	CONSTRAINT pk_profile_channels PRIMARY KEY (id), 
	CONSTRAINT uq_profile_channels UNIQUE (device_id, data_set, interval_minutes, sources, units), 
	CONSTRAINT fk_profile_channels_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
);
INSERT INTO "profile_channels" VALUES(1,1,1,15,'[0,1]','["Wh","Wh"]',1704070800.25);
CREATE TABLE registers (
	device_id INTEGER NOT NULL, 
	read_at DOUBLE NOT NULL, 
	table_number INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	value BIGINT NOT NULL, 
	unit TEXT NOT NULL, 
	source INTEGER, 
	CONSTRAINT pk_registers PRIMARY KEY (device_id, read_at, table_number, path), 
	CONSTRAINT fk_registers_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
)
 WITHOUT ROWID

;
INSERT INTO "registers" VALUES(1,1704070800.25,23,'current.summations[0]',2147483647,'Wh',0);
INSERT INTO "registers" VALUES(1,1704070800.25,28,'present[0]',-5,'W',NULL);
CREATE TABLE routes (
	device_id INTEGER NOT NULL, 
	hops BLOB NOT NULL, 
	carriers BLOB NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	CONSTRAINT pk_routes PRIMARY KEY (device_id), 
	CONSTRAINT fk_routes_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
)
 WITHOUT ROWID

;
INSERT INTO "routes" VALUES(1,X'',X'00',1704067300.0);
INSERT INTO "routes" VALUES(2,X'0500A1B2C3D4',X'0001',1704067301.0);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	began_at DOUBLE NOT NULL, 
	finished_at DOUBLE, 
	meta JSON NOT NULL, 
	summary JSON, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES(1,1704067201.0,1704067202.0,'{"seed": 7}','{"meters": 2}');
CREATE TABLE table_images (
	device_id INTEGER NOT NULL, 
	read_at DOUBLE NOT NULL, 
	table_number INTEGER NOT NULL, 
	byte_offset INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	CONSTRAINT pk_table_images PRIMARY KEY (device_id, read_at, table_number, byte_offset), 
	CONSTRAINT fk_table_images_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
)
 WITHOUT ROWID

;
INSERT INTO "table_images" VALUES(1,1704070800.25,23,0,X'0102');
INSERT INTO "table_images" VALUES(1,1704070800.25,23,84,X'03');
COMMIT;
