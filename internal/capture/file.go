package capture

import "tcplab/internal/outfile"

// File is a Sink that writes a file and rotates it. Each file is a capture by
// itself and holds whole blocks only, also when the disk is full.
type File struct{ *outfile.File }

// Create makes the file at path, in the place of one that is there; see
// outfile.Create.
func Create(path string, rotate outfile.Rotation) (*File, error) {
	file, err := outfile.Create("capture", path, rotate)
	if err != nil {
		return nil, err
	}
	return &File{file}, nil
}

// Block implements Sink.
func (f *File) Block(block []byte) error { return f.Put(block) }
