package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is one in an archive or in a package.
type file struct {
	path string // with slashes
	mode fs.FileMode
	data []byte
}

// byPath puts files into the one order that they have everywhere.
func byPath(files []file) []file {
	return slices.SortedFunc(slices.Values(files), func(a, b file) int { return strings.Compare(a.path, b.path) })
}

// archiveName is the name of a system's archive, and of the folder in it.
func (r *release) archiveName(t target) (name, inside string) {
	inside = fmt.Sprintf("mfad_%s_%s_%s", r.version, t.os, t.arch)
	if t.os == "windows" {
		return inside + ".zip", inside
	}
	return inside + ".tar.gz", inside
}

// writeArchive writes what belongs on a system, and gives the archive's checksum.
func (r *release) writeArchive(t target, p *program, texts *texts) (string, error) {
	files, err := archived(t, p, texts)
	if err != nil {
		return "", err
	}
	name, inside := r.archiveName(t)
	pack := tarGz
	if t.os == "windows" {
		pack = zipped
	}
	data, err := pack(inside, files, r.date)
	if err != nil {
		return "", err
	}
	return digest(data), r.write(name, data)
}

// tarGz packs files below a folder. They are root's, and of one date.
func tarGz(inside string, files []file, date time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range byPath(files) {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(inside, f.path), Mode: int64(f.mode), Size: int64(len(f.data)),
			ModTime: date, Uname: "root", Gname: "root", Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return gzipped(b.Bytes())
}

// gzipped compresses as `gzip -n -9` does: with no name and no date.
func gzipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// zipped packs files below a folder, of one date.
func zipped(inside string, files []file, date time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range byPath(files) {
		h := &zip.FileHeader{Name: path.Join(inside, f.path), Method: zip.Deflate, Modified: date.UTC()}
		h.SetMode(f.mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// digest is a checksum as sha256sum(1) prints it.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// writeSums writes the checksums of all other files, for `sha256sum --check`.
func (r *release) writeSums() error {
	entries, err := os.ReadDir(r.out) // in order
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s  %s\n", digest(data), e.Name())
	}
	return r.write("SHA256SUMS", []byte(b.String()))
}
