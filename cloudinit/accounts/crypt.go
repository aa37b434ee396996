package accounts

import (
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/GehirnInc/crypt/sha512_crypt"
)

// saltChars are the characters of crypt's base64.
const saltChars = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Crypt hashes a password for shadow, as SHA-512 crypt.
func Crypt(password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	for i := range salt {
		salt[i] = saltChars[salt[i]&63]
	}
	h, err := sha512_crypt.New().Generate([]byte(password), append([]byte("$6$"), salt...))
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return h, nil
}

// Matches says whether hash, as it lies in shadow, is that of password. Only
// SHA-512 crypt is known; others never match.
func Matches(hash, password string) bool {
	hash = strings.TrimLeft(hash, "!")
	return strings.HasPrefix(hash, "$6$") && sha512_crypt.New().Verify(hash, []byte(password)) == nil
}

// IsHash says whether s looks like crypt's output rather than a password.
func IsHash(s string) bool {
	parts := strings.Split(s, "$")
	return len(parts) >= 4 && parts[0] == "" && parts[1] != "" && parts[len(parts)-1] != ""
}
