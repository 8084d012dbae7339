package annotation

import "fmt"

// ParseUsers reads vm-registry: names of broker users.
func ParseUsers(value string) ([]string, error) {
	users, err := list(value)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		if len(u) > mostShortString {
			return nil, fmt.Errorf("is longer than the %d bytes that a broker admits for a user", mostShortString)
		}
	}
	return users, nil
}

func checkUsers(value string) error {
	_, err := ParseUsers(value)
	return err
}
