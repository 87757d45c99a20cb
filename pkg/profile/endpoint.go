package profile

// CheckEndpoint refuses an endpoint that the config would refuse: anything but
// https, or http to this machine. The environment's endpoints go through it too.
func CheckEndpoint(url string) error {
	_, err := parseEndpoint(url)
	return err
}
