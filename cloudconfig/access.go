package cloudconfig

// Access is who may log in.
type Access struct {
	// Users are the accounts to make. `default` stands for rancher.
	Users Users `yaml:"users"`
	// User changes the default user.
	User User `yaml:"user"`
	// Groups are the groups to make, with their members.
	Groups Groups `yaml:"groups"`

	// SSHAuthorizedKeys may log in as the default user. The lists of all layers
	// add up.
	SSHAuthorizedKeys StringList `yaml:"ssh_authorized_keys" merge:"append"`
	// SSHImportID are accounts whose public keys may log in: gh:NAME, lp:NAME.
	SSHImportID []string `yaml:"ssh_import_id"`
	// SSHKeys are host keys: rsa_private, rsa_public, rsa_certificate and the
	// same for ecdsa and ed25519.
	SSHKeys map[string]Secret `yaml:"ssh_keys"`
	// SSHDeleteKeys removes the host keys of the image at the first boot of an
	// instance. Default true.
	SSHDeleteKeys *bool `yaml:"ssh_deletekeys"`
	// SSHGenKeyTypes are the types of host keys to make: rsa, ecdsa, ed25519.
	SSHGenKeyTypes []string `yaml:"ssh_genkeytypes"`
	// SSHPublishHostkeys tells the cloud our public host keys.
	SSHPublishHostkeys PublishHostkeys `yaml:"ssh_publish_hostkeys"`
	// SSHQuietKeygen prints nothing when host keys are made.
	SSHQuietKeygen bool `yaml:"ssh_quiet_keygen"`
	// AllowPublicSSHKeys takes the keys that the cloud gives. Default true.
	AllowPublicSSHKeys *bool `yaml:"allow_public_ssh_keys"`
	// SSHPasswordAuth says whether sshd takes passwords. Unset or `unchanged`
	// leaves it as it is: it does not.
	SSHPasswordAuth Choice `yaml:"ssh_pwauth"`
	// SSH holds what is printed of host keys.
	SSH SSHConsole `yaml:"ssh"`
	// SSHKeyConsoleBlacklist are types of host keys not printed on the console.
	SSHKeyConsoleBlacklist []string `yaml:"ssh_key_console_blacklist"`
	// SSHFingerprintConsoleBlacklist are types of fingerprints not printed.
	SSHFingerprintConsoleBlacklist []string `yaml:"ssh_fp_console_blacklist"`
	// NoSSHFingerprints does not print the authorized keys' fingerprints.
	NoSSHFingerprints bool `yaml:"no_ssh_fingerprints"`
	// AuthkeyHash is the hash of printed fingerprints. Default sha256.
	AuthkeyHash string `yaml:"authkey_hash"`
	// DisableRoot refuses logins of root by ssh. Default true.
	DisableRoot *bool `yaml:"disable_root"`
	// DisableRootOpts are written before root's keys instead of the default.
	DisableRootOpts string `yaml:"disable_root_opts"`

	// ChangePassword sets passwords of users.
	ChangePassword ChangePassword `yaml:"chpasswd"`
	// Password is that of the default user. A hash is better than the text.
	Password Secret `yaml:"password"`
}

// PublishHostkeys says whether the cloud is told our public host keys.
type PublishHostkeys struct {
	// Enabled defaults to true.
	Enabled *bool `yaml:"enabled"`
	// Blacklist are types that are not published. Default: dsa.
	Blacklist []string `yaml:"blacklist"`
}

// SSHConsole is what is printed of host keys.
type SSHConsole struct {
	// EmitKeysToConsole prints the public host keys on the console. Default true.
	EmitKeysToConsole *bool `yaml:"emit_keys_to_console"`
}

// ChangePassword sets passwords.
type ChangePassword struct {
	// Expire makes each user choose a new password at the first login. Default
	// true.
	Expire *bool `yaml:"expire"`
	// Users are whose passwords are set.
	Users []UserPassword `yaml:"users"`
	// List has lines of `name:password`. Old: say users.
	List SecretList `yaml:"list"`
}

// A UserPassword is a new password.
type UserPassword struct {
	// Name of the user.
	Name string `yaml:"name"`
	// Type is hash (the default), text or RANDOM.
	Type string `yaml:"type"`
	// Password is a hash as in /etc/shadow, or the text; nothing for RANDOM.
	Password Secret `yaml:"password"`
}

// A User is an account.
type User struct {
	// Name of the account. Two entries of the same name are one account.
	Name string `yaml:"name"`
	// UID to use; unset takes the next free one.
	UID *UID `yaml:"uid"`
	// Gecos is the comment: the full name of a person.
	Gecos string `yaml:"gecos"`
	// HomeDir defaults to /home/NAME.
	HomeDir string `yaml:"homedir"`
	// NoCreateHome makes no home.
	NoCreateHome bool `yaml:"no_create_home"`
	// PrimaryGroup defaults to a group of the account's own name.
	PrimaryGroup string `yaml:"primary_group"`
	// Groups to be in as well.
	Groups UserGroups `yaml:"groups"`
	// CreateGroups makes groups that are not there. Default true.
	CreateGroups *bool `yaml:"create_groups"`
	// NoUserGroup makes no group of the account's own name.
	NoUserGroup bool `yaml:"no_user_group"`
	// System makes a system account without a home.
	System bool `yaml:"system"`
	// Shell to log in to.
	Shell string `yaml:"shell"`
	// Sudo are lines of a sudoers file without the name.
	Sudo SudoRules `yaml:"sudo"`
	// Doas are lines of a doas.conf.
	Doas []string `yaml:"doas"`
	// LockPasswd refuses logins by password. Default true.
	LockPasswd *bool `yaml:"lock_passwd"`
	// Passwd is a hash, for accounts that are new.
	Passwd Secret `yaml:"passwd"`
	// HashedPasswd is a hash, set even if the account is there.
	HashedPasswd Secret `yaml:"hashed_passwd"`
	// PlainTextPasswd is the text, set even if the account is there.
	PlainTextPasswd Secret `yaml:"plain_text_passwd"`
	// ExpireDate is the day the account ends, as 2032-09-01.
	ExpireDate string `yaml:"expiredate"`
	// Inactive is after how many days with an expired password the account is
	// closed.
	Inactive string `yaml:"inactive"`
	// SSHAuthorizedKeys may log in as this user.
	SSHAuthorizedKeys StringList `yaml:"ssh_authorized_keys"`
	// SSHImportID are accounts whose public keys may log in: gh:NAME, lp:NAME.
	SSHImportID []string `yaml:"ssh_import_id"`
	// SSHRedirectUser refuses ssh and names the default user instead.
	SSHRedirectUser Choice `yaml:"ssh_redirect_user"`
	// SELinuxUser is the SELinux user of the login.
	SELinuxUser string `yaml:"selinux_user"`
	// NoLogInit keeps the account out of lastlog.
	NoLogInit bool `yaml:"no_log_init"`
	// SnapUser is an account of Ubuntu's store. Not supported here.
	SnapUser string `yaml:"snapuser"`
}

// A Group is a group with the members it shall have.
type Group struct {
	Name    string
	Members []string
}
