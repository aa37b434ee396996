package ignition

// The part of version 2.0 to 2.4 that is read.
//
// https://coreos.github.io/ignition/configuration-v2_4/
type (
	v2Config struct {
		Ignition struct {
			Config struct {
				Append  []v2Reference `json:"append"`
				Replace *v2Reference  `json:"replace"`
			} `json:"config"`
			Security struct {
				TLS struct {
					CertificateAuthorities []v2Reference `json:"certificateAuthorities"`
				} `json:"tls"`
			} `json:"security"`
			Timeouts struct {
				HTTPResponseHeaders *int `json:"httpResponseHeaders"`
				HTTPTotal           *int `json:"httpTotal"`
			} `json:"timeouts"`
		} `json:"ignition"`
		Networkd v2Networkd `json:"networkd"`
		Passwd   struct {
			Users  []v2User `json:"users"`
			Groups []struct {
				Name         string `json:"name"`
				Gid          *int   `json:"gid"`
				PasswordHash string `json:"passwordHash"`
				System       bool   `json:"system"`
			} `json:"groups"`
		} `json:"passwd"`
		Storage v2Storage `json:"storage"`
		Systemd struct {
			Units []struct {
				Name     string     `json:"name"`
				Contents string     `json:"contents"`
				Enable   bool       `json:"enable"`
				Enabled  *bool      `json:"enabled"`
				Mask     bool       `json:"mask"`
				Dropins  []v2Dropin `json:"dropins"`
			} `json:"units"`
		} `json:"systemd"`
	}
	v2Reference struct {
		Source       string         `json:"source"`
		HTTPHeaders  []v2Header     `json:"httpHeaders"`
		Verification v2Verification `json:"verification"`
	}
	v2Header struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	v2Verification struct {
		Hash *string `json:"hash"`
	}
	v2Dropin struct {
		Name     string `json:"name"`
		Contents string `json:"contents"`
	}
	v2Networkd struct {
		Units []struct {
			Name     string     `json:"name"`
			Contents string     `json:"contents"`
			Dropins  []v2Dropin `json:"dropins"`
		} `json:"units"`
	}
	v2Owner struct {
		ID   *int   `json:"id"`
		Name string `json:"name"`
	}
	v2Node struct {
		Filesystem string   `json:"filesystem"`
		Path       string   `json:"path"`
		Overwrite  *bool    `json:"overwrite"`
		User       *v2Owner `json:"user"`
		Group      *v2Owner `json:"group"`
	}
	v2File struct {
		v2Node
		Append   bool `json:"append"`
		Mode     *int `json:"mode"`
		Contents struct {
			Compression  string         `json:"compression"`
			Source       string         `json:"source"`
			HTTPHeaders  []v2Header     `json:"httpHeaders"`
			Verification v2Verification `json:"verification"`
		} `json:"contents"`
	}
	v2Storage struct {
		Disks []struct {
			Device     string `json:"device"`
			WipeTable  bool   `json:"wipeTable"`
			Partitions []struct {
				Number             int     `json:"number"`
				Label              *string `json:"label"`
				GUID               string  `json:"guid"`
				TypeGUID           string  `json:"typeGuid"`
				ShouldExist        *bool   `json:"shouldExist"`
				Size               *int    `json:"size"`
				Start              *int    `json:"start"`
				SizeMiB            *int    `json:"sizeMiB"`
				StartMiB           *int    `json:"startMiB"`
				WipePartitionEntry bool    `json:"wipePartitionEntry"`
			} `json:"partitions"`
		} `json:"disks"`
		Raid []struct {
			Name    string   `json:"name"`
			Level   string   `json:"level"`
			Devices []string `json:"devices"`
			Spares  int      `json:"spares"`
		} `json:"raid"`
		Filesystems []struct {
			Name  string   `json:"name"`
			Path  *string  `json:"path"`
			Mount *v2Mount `json:"mount"`
		} `json:"filesystems"`
		Directories []struct {
			v2Node
			Mode *int `json:"mode"`
		} `json:"directories"`
		Files []v2File `json:"files"`
		Links []struct {
			v2Node
			Target string `json:"target"`
			Hard   bool   `json:"hard"`
		} `json:"links"`
	}
	v2Mount struct {
		Device         string   `json:"device"`
		Format         string   `json:"format"`
		Label          *string  `json:"label"`
		UUID           *string  `json:"uuid"`
		Options        []string `json:"options"`
		WipeFilesystem bool     `json:"wipeFilesystem"`
		// Create is the form of version 2.0.
		Create *struct {
			Force   bool     `json:"force"`
			Options []string `json:"options"`
		} `json:"create"`
	}
	v2User struct {
		Name              string   `json:"name"`
		PasswordHash      *string  `json:"passwordHash"`
		SSHAuthorizedKeys []string `json:"sshAuthorizedKeys"`
		v2Account
		Create *v2Account `json:"create"`
	}
	v2Account struct {
		UID          *int     `json:"uid"`
		Gecos        string   `json:"gecos"`
		HomeDir      string   `json:"homeDir"`
		NoCreateHome bool     `json:"noCreateHome"`
		NoLogInit    bool     `json:"noLogInit"`
		NoUserGroup  bool     `json:"noUserGroup"`
		PrimaryGroup string   `json:"primaryGroup"`
		Groups       []string `json:"groups"`
		Shell        string   `json:"shell"`
		System       bool     `json:"system"`
	}
)

func (m *v2Mount) options() []string {
	if m.Create != nil {
		return append(append([]string(nil), m.Options...), m.Create.Options...)
	}
	return m.Options
}
