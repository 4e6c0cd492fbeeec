import { Button } from "@mantine/core";
import { Link } from "react-router";

import { Page, PageTitle } from "../components/Page";

export function NotFoundPage() {
  return (
    <Page>
      <PageTitle lead="The address may be mistyped, or the page has moved.">There is no such page</PageTitle>
      <Button component={Link} to="/agents">
        Go to the assistants
      </Button>
    </Page>
  );
}

export function PageFault() {
  return (
    <Page>
      <PageTitle lead="Load the page again. If that does not help, come back a little later.">
        This page could not be shown
      </PageTitle>
      <Button onClick={() => window.location.reload()}>Load again</Button>
    </Page>
  );
}
