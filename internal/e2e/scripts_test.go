package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A job that the shell starts in the background opens its files some time later.
// No script reads such a file unless the file was made before the job began, or
// the job has been waited for.
func TestScriptsReadNoFileThatAJobHasYetToMake(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(root + "/scripts/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	jobs := 0
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		n, wrong := earlyReads(string(text))
		jobs += n
		for _, line := range wrong {
			t.Errorf("%s reads what a job may not have made yet: %s", filepath.Base(script), line)
		}
	}
	if jobs < 3 {
		t.Errorf("found %d files that jobs write, want at least three: does the test read the scripts rightly?", jobs)
	}
}

var (
	job      = regexp.MustCompile(`[^&]&$`)                   // a line that starts one
	redirect = regexp.MustCompile(`[^&<]>>?\s*("[^"]+"|\w+)`) // what it opens for writing
)

// earlyReads finds the files that the jobs of a script write, and the lines that
// may come too early for them.
func earlyReads(script string) (files int, wrong []string) {
	lines := strings.Split(script, "\n")
	for i, line := range lines {
		if line = strings.TrimSpace(line); !job.MatchString(line) || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "echo ") {
			continue
		}
		for _, match := range redirect.FindAllStringSubmatch(line, -1) {
			file := match[1]
			files++
			made := regexp.MustCompile(`(^|[\s;])(: >|mkfifo )` + regexp.QuoteMeta(file) + `(\s|$)`)
			if made.MatchString(strings.Join(lines[:i], "\n")) {
				continue
			}
			uses := regexp.MustCompile(`(^|\s)` + regexp.QuoteMeta(file) + `(\s|;|$)`)
			for _, later := range lines[i+1:] {
				later = strings.TrimSpace(later)
				if strings.HasPrefix(later, "wait ") {
					break
				}
				if !strings.HasPrefix(later, "#") && uses.MatchString(later) {
					wrong = append(wrong, later)
				}
			}
		}
	}
	return files, wrong
}
