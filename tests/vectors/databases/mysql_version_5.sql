-- A cache database as version 5 of the reference's schema is on MySQL (docs: database.md),
-- written by hand: the certificates and signed texts are none, only their forms are real.
CREATE TABLE platforms (qe_id VARCHAR(255) NOT NULL, pce_id VARCHAR(255) NOT NULL,
    platform_manifest BLOB, enc_ppid BLOB, fmspc VARCHAR(255), ca VARCHAR(255),
    created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL, PRIMARY KEY (qe_id, pce_id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE platform_tcbs (qe_id VARCHAR(128) NOT NULL, pce_id VARCHAR(128) NOT NULL,
    cpu_svn VARCHAR(128) NOT NULL, pce_svn VARCHAR(128) NOT NULL, tcbm VARCHAR(128),
    created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL, PRIMARY KEY (qe_id, pce_id, cpu_svn, pce_svn)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE pck_cert (qe_id VARCHAR(255) NOT NULL, pce_id VARCHAR(255) NOT NULL,
    tcbm VARCHAR(255) NOT NULL, pck_cert BLOB, created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL,
    PRIMARY KEY (qe_id, pce_id, tcbm)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE pck_certchain (ca VARCHAR(255) NOT NULL PRIMARY KEY, root_cert_id INTEGER,
    intmd_cert_id INTEGER, created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE pck_crl (ca VARCHAR(255) NOT NULL PRIMARY KEY, pck_crl BLOB, root_cert_id INTEGER,
    intmd_cert_id INTEGER, created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE pcs_certificates (id INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY, cert BLOB, crl BLOB,
    created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE platforms_registered (qe_id VARCHAR(128) NOT NULL,
    pce_id VARCHAR(128) NOT NULL, cpu_svn VARCHAR(128) NOT NULL, pce_svn VARCHAR(128) NOT NULL,
    enc_ppid BLOB, platform_manifest BLOB, state INTEGER, created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL,
    PRIMARY KEY (qe_id, pce_id, cpu_svn, pce_svn)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE pcs_version (id INTEGER NOT NULL PRIMARY KEY, api_version INTEGER,
    server_addr VARCHAR(255), db_version INTEGER, created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE fmspc_tcbs (fmspc VARCHAR(64), type INTEGER, version INTEGER, update_type VARCHAR(64), 
    tcbinfo BLOB, root_cert_id INTEGER, signing_cert_id INTEGER,
    created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL, PRIMARY KEY (fmspc, type, version, update_type)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE enclave_identities (id INTEGER, version INTEGER, update_type VARCHAR(255), identity BLOB,
    root_cert_id INTEGER, signing_cert_id INTEGER, created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL, PRIMARY KEY (id, version, update_type)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE crl_cache (cdp_url VARCHAR(255) NOT NULL PRIMARY KEY, crl BLOB,
    created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE appraisal_policies (id VARCHAR(255) NOT NULL PRIMARY KEY, type INTEGER NOT NULL,
    policy TEXT NOT NULL, is_default INTEGER NOT NULL, fmspc VARCHAR(255) NOT NULL,
    created_time DATETIME NOT NULL, updated_time DATETIME NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE SequelizeMeta (name VARCHAR(255) NOT NULL UNIQUE PRIMARY KEY) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO SequelizeMeta VALUES ('00_db_initialize.up.sql');
INSERT INTO SequelizeMeta VALUES ('01_db_version_1.js');
INSERT INTO SequelizeMeta VALUES ('02_db_version_2.js');
INSERT INTO SequelizeMeta VALUES ('03_db_version_3.js');
INSERT INTO SequelizeMeta VALUES ('04_db_version_4.js');
INSERT INTO SequelizeMeta VALUES ('05_db_version_5.js');
INSERT INTO pcs_version (id, api_version, server_addr, db_version, created_time, updated_time)
    VALUES (1, 4, 'api.trustedservices.intel.com', 5, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO platforms VALUES ('0123456789ABCDEF0123456789ABCDEF', '0000', '', x'ABCDEF',
    '00906EA10000', 'PROCESSOR', '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO platforms VALUES ('FEDCBA9876543210FEDCBA9876543210', '0000', x'0A0B0C0D', NULL,
    '30606A000000', 'PLATFORM', '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO platform_tcbs VALUES ('0123456789ABCDEF0123456789ABCDEF', '0000',
    '0B0B0F0FFFFF00000000000000000000', '0A00', '0B0B0F0FFFFF000000000000000000000A00', '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pck_cert VALUES ('0123456789ABCDEF0123456789ABCDEF', '0000', '0B0B0F0FFFFF000000000000000000000A00',
    '-----BEGIN CERTIFICATE-----
TGVhZg==
-----END CERTIFICATE-----
', '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pck_cert VALUES ('0123456789ABCDEF0123456789ABCDEF', '0000', '0B0B0F0FFFFF000000000000000000000B00',
    'Not available', '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pck_certchain VALUES ('PROCESSOR', 1, 2, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pck_certchain VALUES ('PLATFORM', 1, 4, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pck_crl VALUES ('PROCESSOR', x'3003020101', 1, 2, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pcs_certificates VALUES (1, '-----BEGIN%20CERTIFICATE-----%0AUm9vdA%3D%3D%0A-----END%20CERTIFICATE-----%0A', x'3003020102',
    '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pcs_certificates VALUES (2, '-----BEGIN%20CERTIFICATE-----%0AUHJvY2Vzc29y%0A-----END%20CERTIFICATE-----%0A', NULL,
    '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pcs_certificates VALUES (3, '-----BEGIN%20CERTIFICATE-----%0AU2lnbmVy%0A-----END%20CERTIFICATE-----%0A', NULL,
    '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO pcs_certificates VALUES (4, '-----BEGIN%20CERTIFICATE-----%0AUGxhdGZvcm0%3D%0A-----END%20CERTIFICATE-----%0A', NULL,
    '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO platforms_registered VALUES ('FEDCBA9876543210FEDCBA9876543210', '0000', '', '',
    '', x'0A0B0C0D', 0, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO platforms_registered VALUES ('AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', '0000',
    '0B0B0F0FFFFF00000000000000000000', '0A00', x'ABCDEF', '', 9, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO fmspc_tcbs VALUES ('00906EA10000', 0, 3, 'STANDARD',
    '{"tcbInfo":{"version":2},"signature":"00"}', 1, 3, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO fmspc_tcbs VALUES ('00906EA10000', 1, 4, 'STANDARD',
    '{"tcbInfo":{"id":"TDX"},"signature":"00"}', 1, 3, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO enclave_identities VALUES (1, 3, 'STANDARD',
    '{"enclaveIdentity":{"id":"QE"},"signature":"00"}', 1, 3, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO enclave_identities VALUES (2, 3, 'STANDARD',
    '{"enclaveIdentity":{"id":"QVE"},"signature":"00"}', 1, 3, '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO crl_cache VALUES ('https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
    x'3003020102', '2023-05-06 07:08:09', '2023-05-06 07:08:09');
INSERT INTO appraisal_policies VALUES ('abababababababababababababababababababababababababababababababababababababababababababababababab', 0, 'a.b.c', 1, '00906EA10000',
    '2023-05-06 07:08:09', '2023-05-06 07:08:09');
